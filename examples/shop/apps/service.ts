/** What the shop's applications share: a plain HTTP server on loopback, and calls through the sidecar's HTTP proxy. */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo, Server } from "node:net";

export interface Call {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers a call, or takes the response over and answers undefined. */
export type Handler = (call: Call, response: ServerResponse) => Promise<Answer | undefined> | Answer | undefined;

/** Serves on 127.0.0.1 at `PORT` (0: any), says so on stdout and ends with its parent. */
export function serve(name: string, handler: Handler): void {
  const server = createServer((incoming, response) => {
    const url = new URL(incoming.url ?? "/", "http://shop");
    const call = { method: incoming.method ?? "", path: url.pathname, query: url.searchParams, headers: incoming.headers };
    incoming.resume();
    Promise.resolve(handler(call, response))
      .catch((error: unknown): Answer => ({ status: 502, body: { error: error instanceof Error ? error.message : String(error) } }))
      .then((answer) => {
        if (answer === undefined) return;
        response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
        response.end(answer.body === undefined ? undefined : `${JSON.stringify(answer.body)}\n`);
      })
      .catch(() => response.destroy());
  });
  listen(name, server, process.env["PORT"]);
}

/** Whoever started the application with a pipe as stdin takes it along when it ends, however it ends. */
if (process.env["END_WITH_PARENT"] === "1") process.stdin.on("end", () => process.exit()).resume();

export function listen(name: string, server: Server, port: string | undefined): void {
  server.on("error", (error) => {
    console.error(`${name}: ${error.message}`);
    process.exitCode = 1;
  });
  server.listen(Number(port ?? 0), "127.0.0.1", () => {
    console.log(`${name} listens on 127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
}

export interface ServiceAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** Calls another service by its name, through `HTTP_PROXY` as any HTTP library would. */
export function callService(method: string, url: string): Promise<ServiceAnswer> {
  const proxy = new URL(process.env["HTTP_PROXY"] ?? "http://127.0.0.1:15001");
  const { promise, resolve, reject } = Promise.withResolvers<ServiceAnswer>();
  const sent = request({ host: proxy.hostname, port: proxy.port, method, path: url, headers: { host: new URL(url).host } }, (answer) => {
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (chunk: string) => (text += chunk));
    answer.once("error", reject);
    answer.once("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
  });
  sent.once("error", reject);
  sent.end();
  return promise;
}
