import type { Socket } from "node:net";
import { within } from "./eventually.ts";
import { connectTo, type HeaderLine, type HostileRequest, type HttpAnswer, NO_ANSWER, type Server } from "./http-client.ts";

/**
 * Writes HTTP/1.1 to a socket byte for byte. One request at a time; the connection is kept as long as the server keeps
 * it. A request on a kept connection that the server closed without a byte is sent once more on a new one.
 */
export class Http1Client implements Disposable {
  readonly #server: Server;
  #connection: Connection | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(server: Server) {
    this.#server = server;
  }

  request(request: HostileRequest): Promise<HttpAnswer> {
    return this.exactly(http1Bytes(request), request.method === "HEAD");
  }

  /** Sends the bytes and reads one answer. `head` tells that an answer with a content-length has no body. */
  exactly(bytes: string | Buffer, head = false): Promise<HttpAnswer> {
    const answer = this.#turn.then(() => this.#exchange(bytes, head));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async #exchange(bytes: string | Buffer, head: boolean): Promise<HttpAnswer> {
    const kept = this.#connection?.usable === true ? this.#connection : undefined;
    const answer = await (kept ?? (await this.#connect())).exchange(bytes, head);
    return answer === NO_ANSWER && kept !== undefined ? (await this.#connect()).exchange(bytes, head) : answer;
  }

  async #connect(): Promise<Connection> {
    this.#connection?.close();
    this.#connection = new Connection(await connectTo(this.#server));
    return this.#connection;
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The request as it goes over the wire; a body gets its content-length unless a header says otherwise. */
export function http1Bytes({ method, path, authority, headers = [], body }: HostileRequest): Buffer {
  const framed = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...(authority === undefined ? [] : [`host: ${authority}`]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined || framed ? [] : [`content-length: ${Buffer.byteLength(body)}`]),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body ?? ""}`, "utf8");
}

class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #onProgress: (() => void) | undefined;
  #reusable = true;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#onProgress?.();
    });
    const end = (): void => {
      this.#ended = true;
      this.#onProgress?.();
    };
    socket.on("end", end).on("close", end).on("error", end);
  }

  get usable(): boolean {
    return this.#reusable && !this.#ended && !this.#socket.destroyed;
  }

  exchange(bytes: string | Buffer, head: boolean): Promise<HttpAnswer> {
    this.#received = Buffer.alloc(0);
    const { promise, resolve } = Promise.withResolvers<HttpAnswer>();
    this.#onProgress = () => {
      const read = readAnswer(this.#received, head, this.#ended);
      if (read === undefined && !this.#ended) return;
      this.#onProgress = undefined;
      if (read === undefined || !read.persistent) {
        this.#reusable = false;
        this.#socket.destroy();
      }
      resolve(read?.answer ?? NO_ANSWER);
    };
    this.#socket.write(bytes);
    if (this.#ended) this.#onProgress();
    const what = `the server answers ${bytes.toString().split("\r\n", 1)[0] ?? ""}`;
    return within(what, promise, { context: () => `so far: ${this.#received.toString()}` });
  }

  close(): void {
    this.#socket.destroy();
  }
}

interface ReadAnswer {
  readonly answer: HttpAnswer;
  readonly persistent: boolean;
}

/** The answer, or undefined while bytes are missing. */
function readAnswer(bytes: Buffer, head: boolean, ended: boolean): ReadAnswer | undefined {
  const endOfHead = bytes.indexOf("\r\n\r\n");
  if (endOfHead === -1) return undefined;
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, endOfHead).split("\r\n");
  const status = Number(statusLine.split(" ")[1] ?? "0");
  const rest = bytes.subarray(endOfHead + 4);
  if (status >= 100 && status < 200 && status !== 101) return readAnswer(rest, head, ended);
  const headers = lines.map((line): HeaderLine => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
  });
  const valueOf = (name: string): string | undefined => headers.find(([header]) => header === name)?.[1];
  const bodyless = head || status === 204 || status === 304;
  const chunked = valueOf("transfer-encoding")?.toLowerCase() === "chunked";
  const length = valueOf("content-length");
  const body = bodyless ? "" : chunked ? unchunked(rest) : fixedBody(rest, length, ended);
  if (body === undefined) return undefined;
  const persistent = valueOf("connection")?.toLowerCase() !== "close" && (bodyless || chunked || length !== undefined);
  return { answer: { status, headers, body }, persistent };
}

function fixedBody(rest: Buffer, length: string | undefined, ended: boolean): string | undefined {
  if (length === undefined) return ended ? rest.toString() : undefined;
  return rest.length >= Number(length) ? rest.toString("utf8", 0, Number(length)) : undefined;
}

function unchunked(rest: Buffer): string | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const endOfSize = rest.indexOf("\r\n", at);
    if (endOfSize === -1) return undefined;
    const size = Number.parseInt(rest.toString("latin1", at, endOfSize), 16);
    const start = endOfSize + 2;
    if (size === 0) return rest.indexOf("\r\n", start) === -1 ? undefined : Buffer.concat(parts).toString();
    if (rest.length < start + size + 2) return undefined;
    parts.push(rest.subarray(start, start + size));
    at = start + size + 2;
  }
}
