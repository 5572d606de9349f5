import { randomUUID } from "node:crypto";
import { type Agent, request } from "node:http";

export interface CallOptions {
  readonly method?: string;
  readonly url: string;
  /** `host:port` of an HTTP proxy: a sidecar's way out. */
  readonly proxy?: string;
  readonly token?: string;
  /** Keeps connections for calls that follow each other closely. */
  readonly agent?: Agent;
}

export interface CallAnswer {
  /** 0 when there was no answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Sent along, so that the access logs can be asked. */
  readonly requestId: string;
}

const PATIENCE_MS = 60_000;

/** One request, as an application of the mesh or a stranger would send it. */
export function call({ method = "GET", url, proxy, token, agent }: CallOptions): Promise<CallAnswer> {
  const requestId = randomUUID();
  const target = new URL(proxy === undefined ? url : `http://${proxy}`);
  const headers = {
    host: new URL(url).host,
    "x-request-id": requestId,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const { promise, resolve } = Promise.withResolvers<CallAnswer>();
  const nothing = (error: Error): void => resolve({ status: 0, headers: {}, text: error.message, requestId });
  const path = proxy === undefined ? `${new URL(url).pathname}${new URL(url).search}` : url;
  const sent = request(
    {
      host: target.hostname,
      port: target.port,
      method,
      path,
      headers,
      ...(agent === undefined ? { agent: false } : { agent }),
      timeout: PATIENCE_MS,
    },
    (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => (text += chunk));
      answer.once("error", nothing);
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: text.trim(), requestId }));
    },
  );
  sent.once("error", nothing);
  sent.once("timeout", () => sent.destroy(new Error(`no answer within ${PATIENCE_MS / 1_000} s`)));
  sent.end();
  return promise;
}
