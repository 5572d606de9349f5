import { request } from "node:http";
import type { HostPort } from "../host-port.ts";

/** The admin interface of a sidecar's Envoy: on its UNIX socket, or, in a pod, on a port of its loopback. */
export class AdminSocket {
  readonly #at: { readonly socketPath: string } | HostPort;

  constructor(at: string | HostPort) {
    this.#at = typeof at === "string" ? { socketPath: at } : at;
  }

  /** The body of a 200 answer. Rejects when nothing answers within `timeoutMs`, or with another status. */
  async get(path: string, timeoutMs = 5_000): Promise<string> {
    const { status, body } = await this.#request("GET", path, timeoutMs);
    if (status !== 200) throw new Error(`Envoy's admin interface answered ${status} to ${path}: ${body.trim()}`);
    return body;
  }

  async post(path: string, timeoutMs = 5_000): Promise<void> {
    const { status, body } = await this.#request("POST", path, timeoutMs);
    if (status !== 200) throw new Error(`Envoy's admin interface answered ${status} to ${path}: ${body.trim()}`);
  }

  /** Whether every cluster, listener and route that Envoy waits for is there. */
  async isReady(): Promise<boolean> {
    return this.#request("GET", "/ready", 1_000).then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  /** Counters and gauges whose name matches (RE2, unanchored). */
  async stats(filter: string): Promise<ReadonlyMap<string, number>> {
    const { stats } = JSON.parse(await this.get(`/stats?format=json&filter=${encodeURIComponent(filter)}`)) as {
      readonly stats: readonly { readonly name?: string; readonly value?: unknown }[];
    };
    return new Map(stats.flatMap(({ name, value }) => (name !== undefined && typeof value === "number" ? [[name, value] as const] : [])));
  }

  async listeners(): Promise<readonly ListenerStatus[]> {
    const answer = JSON.parse(await this.get("/listeners?format=json")) as {
      readonly listener_statuses?: readonly {
        readonly name: string;
        readonly local_address?: { readonly socket_address?: { readonly address: string; readonly port_value: number } };
      }[];
    };
    return (answer.listener_statuses ?? []).flatMap(({ name, local_address: local }) => {
      const bound = local?.socket_address;
      return bound === undefined ? [] : [{ name, address: bound.address, port: bound.port_value }];
    });
  }

  #request(method: "GET" | "POST", path: string, timeoutMs: number): Promise<{ readonly status: number; readonly body: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly body: string }>();
    const sent = request({ ...this.#at, method, path, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("error", reject);
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }));
    });
    sent.once("error", reject);
    sent.end();
    return promise;
  }
}

export interface ListenerStatus {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}
