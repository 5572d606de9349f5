import type { AdsStream } from "../ads-stream.ts";
import type { MeshStreams } from "../mesh-streams.ts";
import { TYPE_URL } from "../resource-types.ts";
import type { Nack } from "../subscription.ts";
import { ReceivedResponse } from "./scripted-client.ts";
import type { TypeName } from "./test-feed.ts";

const TYPE_NAMES = new Map(Object.entries(TYPE_URL).map(([name, url]) => [url as string, name]));

/**
 * A sidecar without sockets, on a stream of its own: it holds what Envoy would hold, and a test decides when the
 * transport takes a write and when the sidecar answers.
 */
export class ModelSidecar {
  readonly stream: AdsStream;
  /** What it runs on: versions by name, by type URL. */
  readonly has = new Map<string, Map<string, string>>();
  readonly acknowledged: number[] = [];
  readonly nacks: Nack[] = [];
  readonly violations: string[] = [];
  /** Every response that was written, in order. */
  readonly written: ReceivedResponse[] = [];
  readonly #streams: MeshStreams;
  readonly #unanswered: ReceivedResponse[] = [];
  #takeWrite: (() => void) | undefined;
  #told = 0;

  constructor(streams: MeshStreams, subscriber: string) {
    const view = streams.view(subscriber);
    if (!view) throw new Error(`${subscriber} has no view`);
    this.#streams = streams;
    this.stream = streams.open(view, {
      write: (_typeUrl, { bytes }, written) => {
        const response = new ReceivedResponse(bytes);
        this.written.push(response);
        this.#unanswered.push(response);
        this.#takeWrite = written;
      },
      acknowledged: (sequence) => this.acknowledged.push(sequence),
      rejected: (nack) => this.nacks.push(nack),
      violated: (message) => this.violations.push(message),
    });
  }

  subscribe(type: TypeName, names: readonly string[] = [], initialVersions: ReadonlyMap<string, string> = new Map()): this {
    return this.#request(TYPE_URL[type], { subscribe: names, initialVersions });
  }

  unsubscribe(type: TypeName, names: readonly string[]): this {
    return this.#request(TYPE_URL[type], { unsubscribe: names });
  }

  /** The transport takes the write that is on its way, if there is one. */
  takeWrite(): boolean {
    const taken = this.#takeWrite;
    this.#takeWrite = undefined;
    taken?.();
    return taken !== undefined;
  }

  /** The transport takes all that is written. What arrived since the last call, as `route +r1,r2 -r3`. */
  received(): string[] {
    while (this.takeWrite());
    const news = this.written.slice(this.#told);
    this.#told = this.written.length;
    return news.map(told);
  }

  get unanswered(): readonly ReceivedResponse[] {
    return this.#unanswered;
  }

  /** Accepts the oldest unanswered response, or that of a type. */
  ack(type?: TypeName): this {
    const response = this.#takeUnanswered(type);
    const has = this.has.get(response.typeUrl) ?? new Map<string, string>();
    this.has.set(response.typeUrl, has);
    for (const { name, version } of response.resources) has.set(name, version);
    for (const name of response.removed) has.delete(name);
    return this.#request(response.typeUrl, { nonce: response.nonce });
  }

  nack(error: string, type?: TypeName): this {
    const response = this.#takeUnanswered(type);
    return this.#request(response.typeUrl, { nonce: response.nonce, error });
  }

  /** Takes and accepts until nothing more comes. What arrived, as {@link received} tells it. */
  settle(): string[] {
    const all = this.received();
    while (this.#unanswered.length > 0) all.push(...this.ack().received());
    return all;
  }

  /** Sends an answer with a nonce of the test's choice. */
  answer(type: TypeName, nonce: string, error?: string): this {
    return this.#request(TYPE_URL[type], { nonce, ...(error === undefined ? {} : { error }) });
  }

  close(): void {
    this.#streams.close(this.stream);
  }

  #takeUnanswered(type?: TypeName): ReceivedResponse {
    const index = this.#unanswered.findIndex(({ typeUrl }) => type === undefined || typeUrl === TYPE_URL[type]);
    const [response] = index < 0 ? [] : this.#unanswered.splice(index, 1);
    if (!response) throw new Error(`no response ${type ?? ""} is unanswered`);
    return response;
  }

  #request(typeUrl: string, request: Partial<Parameters<AdsStream["receive"]>[0]>): this {
    const none = {
      subscribe: [],
      unsubscribe: [],
      initialVersions: new Map<string, string>(),
      nonce: "",
      error: undefined,
      node: undefined,
    };
    this.stream.receive({ kind: "request", typeUrl, ...none, ...request });
    return this;
  }
}

function told(response: ReceivedResponse): string {
  const added = response.names.length > 0 ? [`+${response.names.join()}`] : [];
  const removed = response.removed.length > 0 ? [`-${response.removed.join()}`] : [];
  return [TYPE_NAMES.get(response.typeUrl), ...added, ...removed].join(" ");
}
