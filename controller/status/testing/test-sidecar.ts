/** A sidecar that asks for everything and answers as the test says. */
import { TYPE_URL } from "../../../xds-server/delta/resource-types.ts";
import {
  type ReceivedResponse,
  ScriptedClient,
  type ScriptedStream,
  type ScriptedTarget,
} from "../../../xds-server/delta/testing/scripted-client.ts";

const ASKED = [TYPE_URL.cluster, TYPE_URL.listener, TYPE_URL.extensionConfig, TYPE_URL.route];

export class TestSidecar {
  readonly #client: ScriptedClient;
  readonly #stream: ScriptedStream;
  readonly #held: ReceivedResponse[] = [];
  #answer: "accept" | "hold" | { readonly refuse: string };

  private constructor(client: ScriptedClient, stream: ScriptedStream, answer: "accept" | "hold") {
    this.#client = client;
    this.#stream = stream;
    this.#answer = answer;
    stream.onResponse = (response) => this.#received(response);
    for (const typeUrl of ASKED) stream.subscribe(typeUrl, ["*"]);
  }

  static async connect(target: ScriptedTarget, token: string, answer: "accept" | "hold" = "accept"): Promise<TestSidecar> {
    const client = await new ScriptedClient(target).connected();
    return new TestSidecar(client, client.open(token), answer);
  }

  /** Answers nothing from now on. */
  hold(): void {
    this.#answer = "hold";
  }

  /** Accepts what it holds and what comes. */
  accept(): void {
    this.#answer = "accept";
    for (const response of this.#held.splice(0)) this.#stream.ack(response);
  }

  /** Refuses what brings routes from now on. */
  refuseRoutes(words: string): void {
    this.#answer = { refuse: words };
  }

  close(): void {
    this.#client.close();
  }

  #received(response: ReceivedResponse): void {
    if (this.#answer === "hold") this.#held.push(response);
    else if (this.#answer === "accept" || response.typeUrl !== TYPE_URL.route) this.#stream.ack(response);
    else this.#stream.nack(response, this.#answer.refuse);
  }
}
