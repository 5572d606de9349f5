/**
 * Which policy affects which sidecar, kept up to date as collections: an edit, a pod that comes, a label that changes each
 * cost what they touch. The pairs of policy and workload stand for those of policy and pod, of which there are too many.
 */
import { MESH_CONFIG_NAME } from "../../crds/mesh-config/index.ts";
import { errorsOf } from "../../crds/core/violation.ts";
import type { Collection, Index } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import type { PortPolicies } from "../mesh/effective-policies.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { coversWorkload, type PolicyEntry, policyEntry, type TargetScope } from "../mesh/policy-entry.ts";
import type { PodObject } from "../model/kubernetes.ts";
import { type SourceEntry, sourceKey } from "../model/source-entry.ts";
import type { Loss } from "./condition.ts";

/** An object whose status says what became of it. */
export interface StatusSubject {
  /** `<Kind>/<namespace>/<name>`. */
  readonly key: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
  readonly generation?: number;
  /** What a sidecar acknowledges: this generation of this very object, and whether it held. */
  readonly revision: string;
  /** What is wrong with it; undefined when it holds. */
  readonly mistakes?: string;
  readonly targets: readonly SubjectTarget[];
}

export interface SubjectTarget {
  /** For people: `Service shop/orders`. */
  readonly words: string;
  /** The object that is aimed at; undefined for selectors and for all namespaces. */
  readonly ref?: { readonly group: string; readonly kind: string; readonly namespace: string; readonly name: string };
  readonly missing: boolean;
}

/** A policy covers a workload. */
export interface CoveredWorkload {
  readonly policy: string;
  readonly workload: string;
  /** Which of the subject's targets lead there, by position. */
  readonly targets: readonly number[];
  readonly losses: readonly Loss[];
}

/** A pod that should have a sidecar. */
export interface SidecarPod {
  /** `namespace/pod`. */
  readonly key: string;
  /** Its UID; in a folder of files, where it has none, its key. */
  readonly id: string;
  readonly workload: string;
  /** A pod that is still starting is not waited for: it starts with what is in force. */
  readonly running: boolean;
}

export interface PolicyCoverage {
  readonly subjects: Collection<string, StatusSubject>;
  readonly pairs: Collection<string, CoveredWorkload>;
  readonly pairsByPolicy: Index<string, string, CoveredWorkload>;
  readonly pairsByWorkload: Index<string, string, CoveredWorkload>;
  /** By `namespace/pod`. */
  readonly pods: Collection<string, SidecarPod>;
  readonly podsByWorkload: Index<string, string, SidecarPod>;
  readonly runningByWorkload: Index<string, string, SidecarPod>;
}

export function policyCoverage(graph: Graph, mesh: Mesh, source: (kind: string) => Collection<string, SourceEntry>): PolicyCoverage {
  const serviceExists = graph.derive("status-services", mesh.inventory.services, () => true);
  const policies = graph.derive("status-policies", mesh.policies.all, (entry, _key, context): StatusSubject =>
    subjectOf(
      entry,
      entry.scopes.map((scope) => targetOf(scope, (service) => context.fetch(serviceExists, service) === undefined)),
    ),
  );
  const meshConfigs = graph.derive("status-mesh-config", source("MeshConfig"), (entry, key): StatusSubject =>
    subjectOf(policyEntry(key, entry), []),
  );
  const subjects = graph.join("status-subjects", [policies, meshConfigs]);

  const pairs = graph.deriveMany(
    "status-pairs",
    mesh.workloadPolicies,
    ({ workload, ports }, workloadKey, context): Iterable<readonly [string, CoveredWorkload]> => {
      const labels = context.fetch(mesh.inventory.namespaceLabels, workload.namespace) ?? {};
      const found = new Map<string, CoveredWorkload>([[MESH_CONFIG, everywhere(MESH_CONFIG, workloadKey)]]);
      for (const entry of ports.flatMap(coveringPolicies)) {
        if (found.has(entry.key)) continue;
        const targets = entry.scopes.flatMap((scope, position) => (coversWorkload(scope, workload, labels) ? [position] : []));
        found.set(entry.key, { policy: entry.key, workload: workloadKey, targets, losses: lossesOf(entry, ports) });
      }
      return [...found].map(([policy, pair]) => [`${policy} ${workloadKey}`, pair] as const);
    },
  );

  const pods = graph.derive("status-pods", mesh.inventory.workloadOfPod, (workload, key, context): SidecarPod => {
    const object = context.fetch(source("Pod"), `Pod/${key}`);
    const phase = object?.state === "valid" ? (object.object as unknown as PodObject).status?.phase : undefined;
    const id = context.fetch(mesh.inventory.pods, key)?.uid ?? key;
    return { key, id, workload: workload.key, running: phase === undefined || phase === "Running" };
  });
  return {
    subjects,
    pairs,
    pairsByPolicy: graph.index("status-pairs-by-policy", pairs, ({ policy }) => [policy]),
    pairsByWorkload: graph.index("status-pairs-by-workload", pairs, ({ workload }) => [workload]),
    pods,
    podsByWorkload: graph.index("status-pods-by-workload", pods, ({ workload }) => [workload]),
    runningByWorkload: graph.index("status-running-by-workload", pods, ({ workload, running }) => (running ? [workload] : [])),
  };
}

/** The policies that cover a port, whether or not they act there. */
export function coveringPolicies(port: PortPolicies): readonly PolicyEntry[] {
  const overriding = [port.mutualTls, port.authentication].flatMap((acting): readonly PolicyEntry[] =>
    acting === undefined ? [] : [acting.policy, ...acting.losers.map((loser) => loser.policy)],
  );
  return [...port.access, ...port.limits, ...port.invalid, ...overriding];
}

/** Where another policy acts in its stead; each other one once. */
export function lossesOf({ key }: PolicyEntry, ports: readonly PortPolicies[]): readonly Loss[] {
  const losses = new Map<string, Loss>();
  for (const { policy, reason, by } of ports.flatMap(losersOf)) {
    if (policy.key === key) losses.set(`${reason} ${by.key}`, { reason, by: by.key });
  }
  return [...losses.values()];
}

interface Loser {
  readonly policy: PolicyEntry;
  readonly reason: Loss["reason"];
  readonly by: PolicyEntry;
}

function losersOf(port: PortPolicies): readonly Loser[] {
  return [...(port.mutualTls?.losers ?? []), ...(port.authentication?.losers ?? [])];
}

/** All that is wrong with an object, in one line; undefined when it holds. */
export function mistakesOf({ policy }: PolicyEntry): string | undefined {
  if (policy.state === "valid") return undefined;
  return errorsOf(policy.violations)
    .map(({ path, message }) => `${path}: ${message}`)
    .join("; ");
}

export function targetOf(scope: TargetScope, isMissing: (service: string) => boolean): SubjectTarget {
  switch (scope.kind) {
    case "service": {
      const [namespace = "", name = ""] = scope.service.split("/");
      return {
        words: `Service ${scope.service}`,
        ref: { group: "", kind: "Service", namespace, name },
        missing: isMissing(scope.service),
      };
    }
    case "namespace": {
      const { namespace } = scope;
      if (namespace === undefined) return { words: "namespaces", missing: false };
      return { words: `Namespace ${namespace}`, ref: { group: "", kind: "Namespace", namespace, name: namespace }, missing: false };
    }
    case "pods":
      return { words: "pods", missing: false };
  }
}

const MESH_CONFIG = sourceKey("MeshConfig", undefined, MESH_CONFIG_NAME);

/** The MeshConfig concerns every sidecar. */
function everywhere(policy: string, workload: string): CoveredWorkload {
  return { policy, workload, targets: [], losses: [] };
}

function subjectOf(entry: PolicyEntry, targets: readonly SubjectTarget[]): StatusSubject {
  const { namespace, name, uid, generation } = entry.metadata;
  const mistakes = mistakesOf(entry);
  return {
    key: entry.key,
    kind: entry.kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(generation === undefined ? {} : { generation }),
    revision: `${uid ?? ""}/${generation ?? 0}${mistakes === undefined ? "" : "/invalid"}`,
    ...(mistakes === undefined ? {} : { mistakes }),
    targets,
  };
}
