/** Stands between a client and a real API server, passes everything on, and spoils what it is told to. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import type { ApiServer } from "../../../../e2e/cluster/api-server.ts";

export interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly isWatch: boolean;
}

/** An answer in place of the server's. */
export interface Refusal {
  readonly status: number;
  readonly body: unknown;
}

/** What becomes of a piece of a watch's answer: it goes on as it is, is cut short, is followed by something, or is lost. */
export type Meddling =
  | { readonly kind: "Pass" }
  /** The first half of it, and then the end: an orderly one, or one like that of a process. */
  | { readonly kind: "Truncate"; readonly orderly: boolean }
  | { readonly kind: "Append"; readonly text: string }
  | { readonly kind: "Swallow" };

const PASS: Meddling = { kind: "Pass" };

export class Meddler implements AsyncDisposable {
  readonly #server = createServer((incoming, outgoing) => void this.#pass(incoming, outgoing));
  readonly #upstream: ApiServer;
  readonly #agent: Agent;
  /** All that was asked, in order. */
  readonly asked: Asked[] = [];
  /** Answers in the server's place. */
  refuse: (asked: Asked) => Refusal | undefined = () => undefined;
  /** Is shown every piece of a watch's answer. */
  meddle: (asked: Asked, piece: string) => Meddling = () => PASS;

  private constructor(upstream: ApiServer) {
    this.#upstream = upstream;
    this.#agent = new Agent({ ca: upstream.caPem, keepAlive: true });
  }

  static async before(upstream: ApiServer): Promise<Meddler> {
    const meddler = new Meddler(upstream);
    meddler.#server.listen(0, "127.0.0.1");
    await once(meddler.#server, "listening");
    return meddler;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  lists(path: string): readonly Asked[] {
    return this.asked.filter((asked) => asked.path === path && !asked.isWatch);
  }

  watches(path: string): readonly Asked[] {
    return this.asked.filter((asked) => asked.path === path && asked.isWatch);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? "/", this.#upstream.url);
    const asked = { path: url.pathname, query: url.searchParams, isWatch: url.searchParams.get("watch") === "true" };
    this.asked.push(asked);
    const refusal = this.refuse(asked);
    if (refusal !== undefined) {
      outgoing.writeHead(refusal.status, { "content-type": "application/json" }).end(JSON.stringify(refusal.body));
      return;
    }
    const headers = { ...incoming.headers, host: url.host };
    const onward = request(url, { method: incoming.method ?? "GET", headers, agent: this.#agent });
    incoming.pipe(onward);
    outgoing.on("close", () => onward.destroy());
    onward.on("error", () => outgoing.destroy());
    const [answer] = (await once(onward, "response").catch(() => [])) as IncomingMessage[];
    if (answer === undefined) return;
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    outgoing.flushHeaders();
    answer.on("error", () => outgoing.destroy());
    answer.on("end", () => outgoing.end());
    answer.on("data", (piece: Buffer) => {
      const meddling = asked.isWatch ? this.meddle(asked, piece.toString("utf8")) : PASS;
      switch (meddling.kind) {
        case "Pass":
          outgoing.write(piece);
          break;
        case "Append":
          outgoing.write(Buffer.concat([piece, Buffer.from(meddling.text)]));
          break;
        case "Truncate":
          outgoing.write(piece.subarray(0, piece.length / 2), () => (meddling.orderly ? outgoing.end() : outgoing.destroy()));
          break;
        case "Swallow":
          break;
      }
    });
  }
}
