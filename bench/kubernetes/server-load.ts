/** What the API server says of its own work, from its metrics. */
import type { KubernetesApi } from "../../controller/kubernetes/api.ts";

export interface ServerLoad {
  /** Requests that are done, by verb. A watch is done when it ends. */
  readonly requests: ReadonlyMap<string, number>;
  /** Bytes of answers to lists. */
  readonly listBytes: number;
  /** Seconds. */
  readonly cpu: number;
}

/** A label's value as the text format has it. */
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Counts only what concerns `resources`, by any client. */
export async function serverLoad(api: KubernetesApi, resources: ReadonlySet<string>): Promise<ServerLoad> {
  const text = String(await api.get({ path: "/metrics" }));
  const requests = new Map<string, number>();
  let listBytes = 0;
  let cpu = 0;
  for (const line of text.split("\n")) {
    const [name = "", labelText = ""] = line.split(/[{}]/);
    const value = Number(line.slice(line.lastIndexOf(" ") + 1));
    if (line.startsWith("process_cpu_seconds_total")) cpu = value;
    if (name !== "apiserver_request_total" && name !== "apiserver_response_sizes_sum") continue;
    const labels = Object.fromEntries([...labelText.matchAll(LABEL)].map(([, label, text]) => [label, text])) as Record<string, string>;
    if (!resources.has(labels["resource"] ?? "")) continue;
    const verb = labels["verb"] ?? "";
    if (name === "apiserver_response_sizes_sum") listBytes += verb === "LIST" ? value : 0;
    else requests.set(verb, (requests.get(verb) ?? 0) + value);
  }
  return { requests, listBytes, cpu };
}

/** What was done from `before` to `after`. */
export function loadBetween(before: ServerLoad, after: ServerLoad): ServerLoad {
  const requests = new Map<string, number>();
  for (const [verb, count] of after.requests) {
    const more = count - (before.requests.get(verb) ?? 0);
    if (more > 0) requests.set(verb, more);
  }
  return { requests, listBytes: after.listBytes - before.listBytes, cpu: after.cpu - before.cpu };
}
