/**
 * What became of every policy, as GEP-713 conditions: does it hold (Accepted), does what it names exist (ResolvedRefs),
 * has every sidecar that it affects acknowledged it (Programmed, n of m).
 */
import { errorsOf, type Violation } from "../../crds/core/violation.ts";
import { type AccessPolicy, translateAccess } from "../../crds/access-policy/index.ts";
import { objectKey } from "../../crds/core/object.ts";
import { type RateLimitPolicy, translate as translateLimits } from "../../crds/rate-limit-policy/index.ts";
import { calledPort } from "../model/workload.ts";
import { currentSettings } from "../mesh/settings.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { objectOf, type PolicyEntry, type TargetScope } from "../mesh/policy-entry.ts";
import type { PortPolicies } from "../mesh/effective-policies.ts";

export interface Condition {
  readonly type: "Accepted" | "ResolvedRefs" | "Programmed";
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

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
  /** Another policy acts in its stead, on these ports. */
  readonly losses: { readonly reason: string; readonly by: string }[];
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
    for (const key of new Set(ports.flatMap(coveringKeys))) {
      const found = coverage.get(key) ?? { workloads: new Set(), pods: [], losses: [], notes: new Set() };
      found.workloads.add(`${workload.namespace}/${workload.name}`);
      found.pods.push(...(podsByWorkload.get(workloadKey) ?? []));
      coverage.set(key, found);
    }
    for (const port of ports) {
      for (const [key, note] of portNotes(port, `${workload.namespace}/${workload.name}`, trustDomain)) coverage.get(key)?.notes.add(note);
    }
    for (const loss of ports.flatMap((port) => [...(port.mutualTls?.losers ?? []), ...(port.authentication?.losers ?? [])])) {
      coverage.get(loss.policy.key)?.losses.push({ reason: loss.reason, by: loss.by.key });
    }
  }
  return coverage;
}

function coveringKeys(port: PortPolicies): string[] {
  const overriding = [port.mutualTls, port.authentication].flatMap((acting) =>
    acting === undefined ? [] : [acting.policy.key, ...acting.losers.map((loser) => loser.policy.key)],
  );
  return [...port.access, ...port.limits, ...port.invalid].map((entry) => entry.key).concat(overriding);
}

function statusOf(entry: PolicyEntry, coverage: Coverage | undefined, mesh: Mesh, acknowledgements: Acknowledgements): PolicyStatus {
  const pods = coverage?.pods ?? [];
  const sequence = acknowledgements.sequenceOf(entry.key) ?? 0;
  const rejections = pods.flatMap((pod) => {
    const words = acknowledgements.rejection(pod);
    return words === undefined ? [] : [[pod, words] as const];
  });
  const refusing = new Set(rejections.map(([pod]) => pod));
  const programmed = pods.filter((pod) => !refusing.has(pod) && (acknowledgements.acknowledgedThrough(pod) ?? -1) >= sequence).length;
  const violations = entry.policy.state === "invalid" ? entry.policy.violations : [];
  return {
    kind: entry.kind,
    ...(entry.metadata.namespace === undefined ? {} : { namespace: entry.metadata.namespace }),
    name: entry.metadata.name,
    conditions: [accepted(entry, coverage), resolved(entry, coverage, mesh), programmedCondition(pods.length, programmed, rejections[0])],
    workloads: [...(coverage?.workloads ?? [])].sort(),
    sidecars: { affected: pods.length, programmed },
    violations,
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

function accepted(entry: PolicyEntry, coverage: Coverage | undefined): Condition {
  const type = "Accepted";
  if (entry.policy.state === "invalid") {
    const message = errorsOf(entry.policy.violations)
      .map((violation) => `${violation.path}: ${violation.message}`)
      .join("; ");
    return { type, status: "False", reason: "Invalid", message: `its targets refuse every request until it is mended: ${message}` };
  }
  const loss = coverage?.losses[0];
  if (loss === undefined) return { type, status: "True", reason: "Accepted", message: "" };
  return { type, status: loss.reason === "Conflicted" ? "False" : "True", reason: loss.reason, message: `${loss.by} acts instead` };
}

function resolved(entry: PolicyEntry, coverage: Coverage | undefined, mesh: Mesh): Condition {
  const type = "ResolvedRefs";
  const missing = entry.scopes.filter((scope) => isMissing(scope, mesh)).map(describe);
  if (missing.length > 0) return { type, status: "False", reason: "TargetNotFound", message: `not found: ${missing.join(", ")}` };
  if (coverage === undefined) return { type, status: "True", reason: "NoWorkloads", message: "no running workload is covered" };
  return { type, status: "True", reason: "ResolvedRefs", message: "" };
}

function isMissing(scope: TargetScope, mesh: Mesh): boolean {
  return scope.kind === "service" && !mesh.inventory.services.has(scope.service);
}

function describe(scope: TargetScope): string {
  return scope.kind === "service" ? `Service ${scope.service}` : scope.kind;
}

function programmedCondition(
  affected: number,
  programmed: number,
  rejection: readonly [pod: string, words: string] | undefined,
): Condition {
  const type = "Programmed";
  const message = `${programmed} of ${affected} sidecars`;
  if (rejection !== undefined)
    return { type, status: "False", reason: "Rejected", message: `${message}; ${rejection[0]} refuses ${rejection[1]}` };
  if (programmed === affected) return { type, status: "True", reason: "Programmed", message };
  return { type, status: "False", reason: programmed === 0 ? "Pending" : "PartiallyProgrammed", message };
}
