import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import { connectTo, type HeaderLine, type HostileRequest, type HttpAnswer, NO_ANSWER, type Server } from "./http-client.ts";

/**
 * HTTP/2, with prior knowledge or over TLS. Any number of requests at a time on one connection, which is renewed when the
 * server closes it. A request that cannot be framed at all (a connection header, CONNECT with a path) throws.
 */
export class Http2Client implements Disposable {
  readonly #server: Server;
  #session: Promise<ClientHttp2Session> | undefined;

  constructor(server: Server) {
    this.#server = server;
  }

  async request({ method, path, authority, headers = [], body }: HostileRequest): Promise<HttpAnswer> {
    const { address = "127.0.0.1", port, tls } = this.#server;
    const pseudo = {
      ":method": method,
      ":path": path,
      ":authority": authority ?? `${address}:${port}`,
      ":scheme": tls === undefined ? "http" : "https",
    };
    const session = await (this.#session ??= this.#connect());
    const stream = session.request({ ...pseudo, ...repeated(headers) }, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    return answerOf(stream);
  }

  async #connect(): Promise<ClientHttp2Session> {
    const { address = "127.0.0.1", port } = this.#server;
    const socket = await connectTo(this.#server);
    // Without it Node refuses to repeat a header such as authorization. (Its types know the option for servers only.)
    const hostile = { strictSingleValueFields: false };
    const session = connect(`http://${address}:${port}`, { createConnection: () => socket, ...hostile });
    const renew = (): void => {
      this.#session = undefined;
    };
    session.on("goaway", renew).on("close", renew).on("error", renew);
    return session;
  }

  close(): void {
    void this.#session?.then((session) => session.destroy());
    this.#session = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Node sends one line for each element of an array. */
function repeated(headers: readonly HeaderLine[]): OutgoingHttpHeaders {
  const lines: Record<string, string[]> = {};
  for (const [name, value] of headers) (lines[name] ??= []).push(value);
  return lines;
}

function answerOf(stream: ClientHttp2Stream): Promise<HttpAnswer> {
  const { promise, resolve } = Promise.withResolvers<HttpAnswer>();
  let answer: HttpAnswer = NO_ANSWER;
  const body: Buffer[] = [];
  stream.on("response", ({ ":status": status = 0, ...headers }) => {
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value ?? ""]).map((line): HeaderLine => [name, line]),
    );
    answer = { status, headers: lines, body: "" };
  });
  stream.on("data", (chunk: Buffer) => body.push(chunk));
  stream.on("error", () => undefined);
  stream.on("close", () => resolve(answer === NO_ANSWER ? NO_ANSWER : { ...answer, body: Buffer.concat(body).toString() }));
  return promise;
}
