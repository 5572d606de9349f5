/** A small real application: tells what it received, over HTTP/1.1 and HTTP/2 without TLS on one port. */
import { createServer as createHttp1, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { createServer, type Socket } from "node:net";
import { Collected } from "./collected.ts";
import { listen } from "./loopback-server.ts";
import type { HeaderLine } from "./http-client.ts";

/** Also the JSON body of the answer. */
export interface ReceivedRequest {
  /** The upstream's own name. */
  readonly upstream: string;
  readonly protocol: string;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** As received, without pseudo-headers; names in lower case. */
  readonly headers: readonly HeaderLine[];
  readonly body: string;
}

export interface Upstream extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** Every request, when its body has arrived. */
  readonly received: Collected<ReceivedRequest>;
  /** Answers that are still being streamed or held. */
  readonly open: number;
  stop(): Promise<void>;
}

export interface UpstreamOptions {
  readonly name?: string;
  readonly address?: string;
  readonly port?: number;
}

/**
 * The request header by which a client asks for something other than an echo:
 * `status=503` answers that status; `hold` never answers; `stream` answers a line at once and one every 20 ms until the
 * client goes; `headers=name:value,name:value` adds response headers. Several are separated by `;`.
 */
export const ASK = "x-ask-upstream";

type AnyRequest = IncomingMessage | Http2ServerRequest;
type AnyResponse = ServerResponse | Http2ServerResponse;

export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const { name = "upstream", address = "127.0.0.1" } = options;
  const received = new Collected<ReceivedRequest>();
  const open = new Set<AnyResponse>();
  const sockets = new Set<Socket>();
  const answer = (request: AnyRequest, response: AnyResponse): void => {
    void bodyOf(request).then((body) => {
      const seen = describe(name, request, body);
      received.add(seen);
      respond(seen, response, open);
    });
  };
  const http1 = createHttp1({ insecureHTTPParser: true, requireHostHeader: false, keepAliveTimeout: 0 }, answer);
  const http2 = createHttp2(answer);
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    // Which protocol it is shows in the first bytes; they are put back for the server that then owns the socket.
    socket.once("readable", () => {
      const first = socket.read() as Buffer | null;
      if (first === null) return;
      socket.unshift(first);
      (first.subarray(0, 3).toString() === "PRI" ? http2 : http1).emit("connection", socket);
    });
  });
  const listening = await listen(server, address, options.port ?? 0, sockets);
  return {
    address,
    port: listening.port,
    received,
    get open() {
      return open.size;
    },
    stop: listening.stop,
    [Symbol.asyncDispose]: listening.stop,
  };
}

async function bodyOf(request: AnyRequest): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch {
    // The client went away in the middle: what arrived is what was received.
  }
  return Buffer.concat(chunks).toString();
}

function describe(upstream: string, request: AnyRequest, body: string): ReceivedRequest {
  const lines: HeaderLine[] = [];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const [name = "", value = ""] = request.rawHeaders.slice(index, index + 2);
    if (!name.startsWith(":")) lines.push([name.toLowerCase(), value]);
  }
  const authority = "authority" in request ? request.authority : undefined;
  return {
    upstream,
    protocol: `HTTP/${request.httpVersion}`,
    method: request.method ?? "",
    path: request.url ?? "",
    host: authority ?? request.headers.host ?? "",
    headers: lines,
    body,
  };
}

function respond(seen: ReceivedRequest, response: AnyResponse, open: Set<AnyResponse>): void {
  const asked = (seen.headers.find(([name]) => name === ASK)?.[1] ?? "").split(";").map((item) => item.trim());
  const valueOf = (name: string): string | undefined => asked.find((item) => item.startsWith(`${name}=`))?.slice(name.length + 1);
  response.on("error", () => undefined);
  for (const header of valueOf("headers")?.split(",") ?? []) {
    const [name = "", value = ""] = header.split(":");
    response.setHeader(name, value);
  }
  if (asked.includes("hold") || asked.includes("stream")) {
    open.add(response);
    response.once("close", () => open.delete(response));
  }
  if (asked.includes("hold")) return;
  response.statusCode = Number(valueOf("status") ?? "200");
  response.setHeader("content-type", "application/json");
  if (!asked.includes("stream")) {
    end(response, JSON.stringify(seen));
    return;
  }
  let count = 0;
  const tick = (): void => write(response, `tick ${count++}\n`);
  tick();
  const timer = setInterval(tick, 20);
  response.once("close", () => clearInterval(timer));
}

// The two response types have the same methods with signatures that TypeScript cannot call as a union.
function write(response: AnyResponse, text: string): void {
  (response as ServerResponse).write(text);
}

function end(response: AnyResponse, text: string): void {
  (response as ServerResponse).end(text);
}
