/** What is permitted today only because it is audited: the calls that would be refused under Deny, from the sidecars' access logs. */
import type { Cluster } from "../cluster/cluster.ts";
import { hasSidecar, isRunning, type KubeObject, type KubePod, SEAWALL } from "../cluster/objects.ts";
import { describeDuration } from "../duration.ts";
import { type Check, count, type Finding, findingsAbout, some } from "./finding.ts";

/** Of how many pods the logs are read, and how much of each. */
const LARGEST_SAMPLE = 100;
const LINES = 2_000;
const AT_ONCE = 8;

/** One caller at one workload, refused by one rule. */
export interface WouldBeRefusal {
  readonly caller: string;
  /** `namespace/name`. */
  readonly workload: string;
  /** What would refuse, as the access log names it. */
  readonly policy: string;
  readonly calls: number;
  /** `GET /orders`, the most frequent first. */
  readonly operations: readonly string[];
}

export const wouldBeRefusalsCheck: Check = {
  area: "audit",
  async look({ cluster, sinceMs }) {
    const { ok, warning } = findingsAbout(this.area);
    const pods = await injectedPods(cluster);
    const read = pods.slice(0, LARGEST_SAMPLE);
    const lines: string[] = [];
    for (let start = 0; start < read.length; start += AT_ONCE) {
      const logs = await Promise.all(read.slice(start, start + AT_ONCE).map((pod) => sidecarLog(cluster, pod, sinceMs)));
      lines.push(...logs.flatMap((log) => log.split("\n")));
    }
    const sample = read.length < pods.length ? ` (${read.length} of ${pods.length} pods were looked at)` : "";
    const refusals = wouldBeRefusals(lines);
    if (refusals.length === 0) return [ok(`no call of the last ${describeDuration(sinceMs)} would be refused by what is audited${sample}`)];
    return refusals.map(({ caller, workload, policy, calls, operations }): Finding =>
      warning(
        `${caller} at ${workload}: ${count(calls, "call")} that ${policy} would refuse: ${some(operations)}${sample}`,
        "allow it with an AccessPolicy, or leave it to be refused once it is enforced",
      ),
    );
  },
};

/** Reads access log lines; what is none is skipped. The most frequent caller comes first. */
export function wouldBeRefusals(lines: Iterable<string>): readonly WouldBeRefusal[] {
  const found = new Map<string, { readonly refusal: Omit<WouldBeRefusal, "calls" | "operations">; operations: Map<string, number> }>();
  for (const line of lines) {
    const entry = readEntry(line);
    if (entry?.audit?.verdict !== "denied") continue;
    const refusal = {
      caller: callerOf(entry),
      workload: entry.workload ?? "an unnamed workload",
      policy: entry.audit.policy ?? "the default",
    };
    const key = JSON.stringify(refusal);
    const known = found.get(key) ?? { refusal, operations: new Map<string, number>() };
    const operation = entry.method === undefined ? "TCP" : `${entry.method} ${entry.path ?? ""}`.trim();
    known.operations.set(operation, (known.operations.get(operation) ?? 0) + 1);
    found.set(key, known);
  }
  return [...found.values()]
    .map(({ refusal, operations }) => {
      const byFrequency = [...operations].sort(([, a], [, b]) => b - a);
      return { ...refusal, calls: byFrequency.reduce((sum, [, calls]) => sum + calls, 0), operations: byFrequency.map(([name]) => name) };
    })
    .sort((a, b) => b.calls - a.calls);
}

interface AccessLogEntry {
  readonly direction?: string;
  readonly workload?: string;
  readonly peer?: string;
  readonly peerAddress?: string;
  readonly method?: string;
  readonly path?: string;
  readonly audit?: { readonly verdict?: string; readonly policy?: string };
}

function readEntry(line: string): AccessLogEntry | undefined {
  if (!line.startsWith("{") || !line.includes('"audit"')) return undefined;
  try {
    return JSON.parse(line) as AccessLogEntry;
  } catch {
    return undefined;
  }
}

/** `namespace/service account` of a caller with identity, else where it came from. */
function callerOf({ peer, peerAddress }: AccessLogEntry): string {
  const [, namespace, serviceAccount] = /\/ns\/([^/]+)\/sa\/([^/,]+)/.exec(peer ?? "") ?? [];
  if (namespace !== undefined && serviceAccount !== undefined) return `${namespace}/${serviceAccount}`;
  return peerAddress === undefined ? "a caller without identity" : `a caller without identity (${peerAddress.replace(/:\d+$/, "")})`;
}

async function injectedPods(cluster: Cluster): Promise<readonly KubePod[]> {
  const namespaces = await cluster.list<KubeObject>("/api/v1/namespaces", { labelSelector: `${SEAWALL.injectionLabel}=enabled` });
  const lists = await Promise.all(namespaces.map(({ metadata }) => cluster.list<KubePod>(`/api/v1/namespaces/${metadata.name}/pods`)));
  return lists.flat().filter((pod) => hasSidecar(pod) && isRunning(pod));
}

async function sidecarLog(cluster: Cluster, { metadata }: KubePod, sinceMs: number): Promise<string> {
  const log = await cluster.api.get({
    path: `/api/v1/namespaces/${metadata.namespace ?? "default"}/pods/${metadata.name}/log`,
    query: { container: SEAWALL.sidecarContainer, sinceSeconds: String(Math.max(1, Math.ceil(sinceMs / 1_000))), tailLines: String(LINES) },
  });
  return typeof log === "string" ? log : "";
}
