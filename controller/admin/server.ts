/**
 * The admin port: health for probes, metrics for Prometheus, and what the control plane knows, as JSON. `/debug/*`
 * tells much about the mesh, so it answers loopback callers alone.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AdminServerError } from "./admin-server-error.ts";

/** An answer: a status, and a body that is sent as JSON, or as text of another type. */
export interface AdminResponse {
  readonly status: number;
  readonly body: unknown;
  readonly contentType?: string;
}

export interface AdminRequest {
  /** The parts of the path behind the route's own. */
  readonly rest: readonly string[];
  readonly query: URLSearchParams;
  /** The parsed JSON body of a POST; undefined for a GET. */
  readonly body: unknown;
}

export interface AdminRoute {
  readonly method: "GET" | "POST";
  /** `/healthz`, or a path whose last part is `*` for any number of further parts. */
  readonly path: string;
  /** Answers callers on this machine alone. */
  readonly loopbackOnly: boolean;
  handle(request: AdminRequest): AdminResponse | Promise<AdminResponse>;
}

const LARGEST_BODY = 1 << 20;

/** Starts to listen. Rejects with an {@link AdminServerError} when the address cannot be had. */
export async function startAdminServer(
  address: { readonly host: string; readonly port: number },
  routes: readonly AdminRoute[],
): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, routes)
      .catch((): AdminResponse => ({ status: 500, body: { error: "the control plane could not answer; its log says why" } }))
      .then((reply) => {
        // What is left of a request that was not read to its end would be taken for the next one.
        if (!request.complete) response.shouldKeepAlive = false;
        send(response, reply);
      })
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(new AdminServerError(address, error)));
    server.listen(address.port, address.host, resolve);
  });
  return server;
}

async function answer(request: IncomingMessage, routes: readonly AdminRoute[]): Promise<AdminResponse> {
  const url = new URL(request.url ?? "/", "http://admin");
  const found = routes
    .map((route) => ({ route, rest: match(route.path, url.pathname) }))
    .filter((candidate) => candidate.rest !== undefined);
  if (found.length === 0) {
    return { status: 404, body: { error: `nothing at ${url.pathname}`, paths: routes.map((route) => `${route.method} ${route.path}`) } };
  }
  const chosen = found.find((candidate) => candidate.route.method === request.method);
  if (chosen?.rest === undefined) return { status: 405, body: { error: `${request.method ?? ""} is not offered at ${url.pathname}` } };
  if (chosen.route.loopbackOnly && !isLoopback(request.socket.remoteAddress)) {
    return { status: 403, body: { error: "this path answers callers on the control plane's own machine" } };
  }
  const body = request.method === "POST" ? await readJson(request) : undefined;
  if (body instanceof BadBody) return { status: 400, body: { error: body.reason } };
  return chosen.route.handle({ rest: chosen.rest, query: url.searchParams, body });
}

function match(pattern: string, path: string): string[] | undefined {
  if (!pattern.endsWith("/*")) return pattern === path ? [] : undefined;
  const prefix = pattern.slice(0, -1);
  if (!path.startsWith(prefix)) return undefined;
  return path.slice(prefix.length).split("/").map(decodeURIComponent);
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (address === "::1" || /^(::ffff:)?127\./.test(address));
}

class BadBody {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) return new BadBody(`the body is larger than ${LARGEST_BODY} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
  } catch {
    return new BadBody("the body is not JSON");
  }
}

function send(response: ServerResponse, reply: AdminResponse): void {
  const text = typeof reply.body === "string" ? reply.body : `${JSON.stringify(reply.body, undefined, 2)}\n`;
  const type = reply.contentType ?? (typeof reply.body === "string" ? "text/plain; charset=utf-8" : "application/json");
  response.writeHead(reply.status, { "content-type": type, "content-length": Buffer.byteLength(text), "cache-control": "no-store" });
  response.end(text);
}
