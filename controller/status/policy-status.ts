/** What became of every policy, computed anew of everything: for the admin port, where one control plane knows all sidecars. */
import type { Violation } from "../../crds/core/violation.ts";
import { type AccessPolicy, translateAccess } from "../../crds/access-policy/index.ts";
import { objectKey } from "../../crds/core/object.ts";
import { type RateLimitPolicy, translate as translateLimits } from "../../crds/rate-limit-policy/index.ts";
import { calledPort } from "../model/workload.ts";
import { currentSettings } from "../mesh/settings.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { objectOf, type PolicyEntry } from "../mesh/policy-entry.ts";
import type { PortPolicies } from "../mesh/effective-policies.ts";
import { type Condition, conditionsOf, type Loss } from "./condition.ts";
import { coveringPolicies, lossesOf, mistakesOf, targetOf } from "./policy-coverage.ts";

export interface PolicyStatus {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly conditions: readonly Condition[];
  /** Names of the workloads (`namespace/name`) that the policy covers, sorted. */
  readonly workloads: readonly string[];
  readonly sidecars: { readonly affected: number; readonly programmed: number };
  readonly violations: readonly Violation[];
  /** What the policy means on particular ports that its text does not say, such as rules that never allow on TCP. */
  readonly notes: readonly string[];
}

/** How far the sidecars have come. */
export interface Acknowledgements {
  /** The update that carried the newest state of a policy; undefined when none had to. */
  sequenceOf(policyKey: string): number | undefined;
  /** Everything up to this update was judged by the pod's sidecar; undefined while it is not connected. */
  acknowledgedThrough(pod: string): number | undefined;
  /** What the pod's Envoy refuses to run, in its own words; undefined when nothing. */
  rejection(pod: string): string | undefined;
}

export function policyStatuses(mesh: Mesh, acknowledgements: Acknowledgements): PolicyStatus[] {
  const coverage = coverageOf(mesh);
  return [...mesh.policies.all.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, entry]) => statusOf(entry, coverage.get(key), mesh, acknowledgements));
}

interface Coverage {
  readonly workloads: Set<string>;
  readonly pods: string[];
  readonly losses: Loss[];
  readonly notes: Set<string>;
}

/** Which workloads and pods every policy covers, and where it loses to another. */
function coverageOf(mesh: Mesh): Map<string, Coverage> {
  const podsByWorkload = new Map<string, string[]>();
  for (const [pod, workload] of mesh.inventory.workloadOfPod.entries()) {
    const pods = podsByWorkload.get(workload.key) ?? [];
    pods.push(pod);
    podsByWorkload.set(workload.key, pods);
  }
  const coverage = new Map<string, Coverage>();
  const { trustDomain } = currentSettings(mesh.settings);
  for (const [workloadKey, { workload, ports }] of mesh.workloadPolicies.entries()) {
    for (const entry of new Map(ports.flatMap(coveringPolicies).map((one) => [one.key, one])).values()) {
      const found = coverage.get(entry.key) ?? { workloads: new Set(), pods: [], losses: [], notes: new Set() };
      found.workloads.add(`${workload.namespace}/${workload.name}`);
      found.pods.push(...(podsByWorkload.get(workloadKey) ?? []));
      found.losses.push(...lossesOf(entry, ports));
      coverage.set(entry.key, found);
    }
    for (const port of ports) {
      for (const [key, note] of portNotes(port, `${workload.namespace}/${workload.name}`, trustDomain)) coverage.get(key)?.notes.add(note);
    }
  }
  return coverage;
}

function statusOf(entry: PolicyEntry, coverage: Coverage | undefined, mesh: Mesh, acknowledgements: Acknowledgements): PolicyStatus {
  const pods = coverage?.pods ?? [];
  const sequence = acknowledgements.sequenceOf(entry.key) ?? 0;
  const behind = pods.filter(
    (pod) => acknowledgements.rejection(pod) !== undefined || (acknowledgements.acknowledgedThrough(pod) ?? -1) < sequence,
  );
  const refusing = behind.find((pod) => acknowledgements.rejection(pod) !== undefined);
  const words = refusing === undefined ? undefined : acknowledgements.rejection(refusing);
  const tally = {
    affected: pods.length,
    programmed: pods.length - behind.length,
    awaited: behind.sort().slice(0, 3),
    ...(refusing === undefined || words === undefined ? {} : { rejection: { pod: refusing, words } }),
  };
  const targets = entry.scopes.map((scope) => targetOf(scope, (service) => !mesh.inventory.services.has(service)));
  const findings = {
    mistakes: mistakesOf(entry),
    missing: targets.filter(({ missing }) => missing).map(({ words: target }) => target),
    covers: coverage !== undefined,
    losses: coverage?.losses ?? [],
    tally,
    unsettled: [],
  };
  return {
    kind: entry.kind,
    ...(entry.metadata.namespace === undefined ? {} : { namespace: entry.metadata.namespace }),
    name: entry.metadata.name,
    conditions: conditionsOf(findings),
    workloads: [...(coverage?.workloads ?? [])].sort(),
    sidecars: { affected: tally.affected, programmed: tally.programmed },
    violations: entry.policy.state === "invalid" ? entry.policy.violations : [],
    notes: [...(coverage?.notes ?? [])].sort(),
  };
}

/** By policy key, what only a port can tell. */
function portNotes(policies: PortPolicies, workload: string, trustDomain: string): (readonly [string, string])[] {
  const port = calledPort(policies.port);
  const where = `on ${port.protocol} port ${port.number} of ${workload}`;
  const notes = policies.access.flatMap((entry): (readonly [string, string])[] => {
    const policy = objectOf<AccessPolicy>(entry);
    if (policy === undefined) return [];
    const { never, widened } = translateAccess(policy, { trustDomain, port });
    return [
      ...never.map((rule) => [entry.key, `${where} ${rule} never allows: it asks for what only HTTP has`] as const),
      ...widened.map((rule) => [entry.key, `${where} ${rule} refuses more than it says: its conditions on HTTP cannot be judged`] as const),
    ];
  });
  const limits = policies.limits.flatMap((entry) => objectOf<RateLimitPolicy>(entry) ?? []);
  const keys = new Map(policies.limits.map((entry) => [objectKey(entry.metadata), entry.key]));
  for (const [name, violations] of translateLimits(limits, port).violations) {
    for (const violation of violations) notes.push([keys.get(name) ?? "", `${where}: ${violation.message}`]);
  }
  return notes;
}
