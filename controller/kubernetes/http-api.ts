/**
 * The Kubernetes API over HTTP/1.1 with connections that are kept. A watch holds a connection of its own, so that one which
 * stalls holds up no other.
 */
import * as http from "node:http";
import * as https from "node:https";
import { type ApiRequest, type KubernetesApi, KubernetesApiError, type PatchType, type WatchEvent } from "./api.ts";
import { type ClusterAccess, reasonOf } from "./cluster-access.ts";
import { WatchLines } from "./watch-lines.ts";

export interface HttpApiOptions {
  /** Milliseconds for a whole call, and for a watch until its answer begins. Default 30 s. */
  readonly requestTimeoutMs?: number;
  readonly userAgent?: string;
}

interface Call {
  readonly method: string;
  readonly request: ApiRequest;
  readonly body?: { readonly type: string; readonly text: string };
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** The API server ends connections that are idle for 90 s; one that ends under a request's hands would look like a fault. */
const IDLE_CONNECTION_MS = 60_000;

export class HttpKubernetesApi implements KubernetesApi {
  readonly server: string;
  readonly #access: ClusterAccess;
  readonly #timeoutMs: number;
  readonly #userAgent: string;
  readonly #plain: http.Agent;
  readonly #secure: https.Agent;

  constructor(access: ClusterAccess, options: HttpApiOptions = {}) {
    this.server = access.server;
    this.#access = access;
    this.#timeoutMs = options.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#userAgent = options.userAgent ?? "seawall";
    const kept = { keepAlive: true, timeout: IDLE_CONNECTION_MS };
    this.#plain = new http.Agent(kept);
    this.#secure = new https.Agent(kept);
  }

  get(request: ApiRequest): Promise<unknown> {
    return this.#call({ method: "GET", request });
  }

  create(request: ApiRequest, object: unknown): Promise<unknown> {
    return this.#call({ method: "POST", request, body: json(object) });
  }

  replace(request: ApiRequest, object: unknown): Promise<unknown> {
    return this.#call({ method: "PUT", request, body: json(object) });
  }

  patch(request: ApiRequest, type: PatchType, patch: unknown): Promise<unknown> {
    return this.#call({ method: "PATCH", request, body: json(patch, type) });
  }

  delete(request: ApiRequest): Promise<unknown> {
    return this.#call({ method: "DELETE", request });
  }

  async watch(request: ApiRequest, onEvent: (event: WatchEvent) => void, onOpen?: () => void): Promise<void> {
    const { signal } = request;
    const answered = new AbortController();
    const timer = setTimeout(() => answered.abort(new Error(`no answer within ${this.#timeoutMs} ms`)), this.#timeoutMs);
    const ended = signal === undefined ? answered.signal : AbortSignal.any([signal, answered.signal]);
    try {
      const response = await this.#send({ method: "GET", request: { ...request, query: { ...request.query, watch: "true" } } }, ended);
      if (!isSuccess(response)) throw failure(response, await this.#textOf(response));
      clearTimeout(timer);
      onOpen?.();
      const lines = new WatchLines();
      for await (const chunk of this.#chunksOf(response)) {
        for (const line of lines.push(chunk)) {
          if (signal?.aborted === true) return;
          onEvent(parsed(line, "an event of the watch") as WatchEvent);
        }
      }
      if (lines.isWithinLine) throw new KubernetesApiError(response.statusCode, "Truncated", "the watch ended within an event");
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends connections that are idle; those of running calls end with them. */
  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  async #call(call: Call): Promise<unknown> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const signal = call.request.signal === undefined ? timeout : AbortSignal.any([call.request.signal, timeout]);
    const response = await this.#send(call, signal);
    const text = await this.#textOf(response);
    if (!isSuccess(response)) throw failure(response, text);
    return isJson(response) ? parsed(text, "an answer") : text;
  }

  /** Gives the beginning of the answer. A read over a kept connection that turns out to have ended is repeated. */
  async #send(call: Call, signal: AbortSignal): Promise<http.IncomingMessage> {
    const { agent, headers, ...credentials } = await this.#access.credentials().catch((error: unknown) => {
      throw this.#unreachable(error);
    });
    const { method, request, body } = call;
    const secure = this.server.startsWith("https:");
    const query = new URLSearchParams(request.query).toString();
    const options: https.RequestOptions = {
      ...credentials,
      method,
      signal,
      agent: agent ?? (secure ? this.#secure : this.#plain),
      headers: {
        ...headers,
        // The second is for what has a type of its own, such as the key set of service accounts.
        accept: "application/json, */*",
        "user-agent": this.#userAgent,
        ...(body === undefined ? {} : { "content-type": body.type, "content-length": Buffer.byteLength(body.text) }),
      },
    };
    const url = `${this.server}${request.path}${query === "" ? "" : `?${query}`}`;
    const once = (): Promise<http.IncomingMessage> =>
      new Promise((resolve, reject) => {
        const outgoing = (secure ? https : http).request(url, options, resolve);
        outgoing.on("error", (error) => {
          const stale = outgoing.reusedSocket && method === "GET" && codeOf(error) === "ECONNRESET" && !signal.aborted;
          if (stale) once().then(resolve, reject);
          else reject(this.#unreachable(error));
        });
        outgoing.end(body?.text);
      });
    return once();
  }

  async #textOf(response: http.IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.#chunksOf(response)) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  }

  async *#chunksOf(response: http.IncomingMessage): AsyncIterable<Buffer> {
    try {
      yield* response as AsyncIterable<Buffer>;
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): KubernetesApiError {
    const cause = error instanceof Error && error.name === "AbortError" && error.cause !== undefined ? error.cause : error;
    return new KubernetesApiError(undefined, "Unreachable", `${this.server} cannot be reached: ${reasonOf(cause)}`, error);
  }
}

function json(object: unknown, type = "application/json"): { readonly type: string; readonly text: string } {
  return { type, text: JSON.stringify(object) };
}

function isSuccess({ statusCode }: http.IncomingMessage): boolean {
  return statusCode !== undefined && statusCode >= 200 && statusCode < 300;
}

function isJson(response: http.IncomingMessage): boolean {
  return response.headers["content-type"]?.startsWith("application/json") ?? false;
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new KubernetesApiError(200, "Malformed", `${what} is no JSON: ${reasonOf(error)}`, error);
  }
}

function failure(response: http.IncomingMessage, text: string): KubernetesApiError {
  const { statusCode, statusMessage } = response;
  let status: { readonly reason?: unknown; readonly message?: unknown } = {};
  try {
    if (isJson(response)) status = (JSON.parse(text) ?? {}) as typeof status;
  } catch {
    // What is no Status is shown as it came.
  }
  const reason = typeof status.reason === "string" && status.reason !== "" ? status.reason : http.STATUS_CODES[statusCode ?? 0];
  const message = typeof status.message === "string" ? status.message : text.trim().slice(0, 500);
  return new KubernetesApiError(statusCode, (reason ?? "Unknown").replaceAll(" ", ""), message || `${statusCode} ${statusMessage}`);
}

function codeOf(error: Error): unknown {
  return "code" in error ? error.code : undefined;
}
