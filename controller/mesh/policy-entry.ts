/**
 * A policy of any kind as the mesh handles it: which workloads it may concern, and whether it holds. An invalid one
 * keeps its targets, since they must refuse; when not even those can be read it concerns its whole namespace.
 */
import type { KubernetesObject, ObjectMeta } from "../../crds/core/object.ts";
import type { LabelSelector } from "../../crds/core/match.ts";
import type { Violation } from "../../crds/core/violation.ts";
import { labelsMatch } from "../../crds/core/labels.ts";
import type { SourceEntry } from "../model/source-entry.ts";
import type { Workload, WorkloadPort } from "../model/workload.ts";

/** What a policy protects. `namespace` undefined is every namespace that `namespaces` selects. */
export type TargetScope =
  | { readonly kind: "namespace"; readonly namespace?: string; readonly namespaces?: LabelSelector }
  | { readonly kind: "service"; readonly service: string }
  | { readonly kind: "pods"; readonly namespace?: string; readonly namespaces?: LabelSelector; readonly pods: LabelSelector };

export interface PolicyEntry<Spec = unknown> {
  /** `<Kind>/<namespace>/<name>`. */
  readonly key: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly scopes: readonly TargetScope[];
  readonly policy:
    | { readonly state: "valid"; readonly object: KubernetesObject<Spec> }
    | { readonly state: "invalid"; readonly violations: readonly Violation[]; readonly lastGood?: KubernetesObject<Spec> };
}

interface Targets {
  readonly targetRefs?: unknown;
  readonly targetSelectors?: unknown;
  readonly targetNamespaces?: unknown;
}

/** Reads a policy from its source. The schema of a valid one has been checked, so its spec is what its kind says. */
export function policyEntry<Spec>(key: string, entry: SourceEntry): PolicyEntry<Spec> {
  if (entry.state === "valid") {
    const object = entry.object as KubernetesObject<Spec>;
    return {
      key,
      kind: object.kind,
      metadata: object.metadata,
      scopes: scopesOf(object.metadata.namespace, object.spec as Targets),
      policy: { state: "valid", object },
    };
  }
  const { kind, name, namespace } = entry.identity;
  const metadata: ObjectMeta = { ...originOf(entry.partial), name, ...(namespace === undefined ? {} : { namespace }) };
  const lastGood = entry.lastGood as KubernetesObject<Spec> | undefined;
  const readable = isRecord(entry.partial) && isRecord(entry.partial["spec"]) ? entry.partial["spec"] : undefined;
  return {
    key,
    kind,
    metadata,
    // Of a document that cannot be read at all the last good state tells what it protects; what it says itself is more.
    scopes: scopesOf(namespace, readable ?? lastGood?.spec ?? {}),
    policy: { state: "invalid", violations: entry.violations, ...(lastGood === undefined ? {} : { lastGood }) },
  };
}

/** What the API server has put into an object that does not hold: its age, generation and UID. */
function originOf(partial: unknown): Pick<ObjectMeta, "creationTimestamp" | "generation" | "uid"> {
  const metadata = isRecord(partial) && isRecord(partial["metadata"]) ? partial["metadata"] : {};
  const { creationTimestamp, generation, uid } = metadata;
  return {
    ...(typeof creationTimestamp === "string" ? { creationTimestamp } : {}),
    ...(typeof generation === "number" ? { generation } : {}),
    ...(typeof uid === "string" ? { uid } : {}),
  };
}

/** What a spec protects; anything that cannot be read widens it to all that the policy could reach. */
function scopesOf(namespace: string | undefined, spec: Targets): readonly TargetScope[] {
  const reach = reachOf(namespace, spec);
  const all: readonly TargetScope[] = [{ kind: "namespace", ...reach }];
  if (Array.isArray(spec.targetRefs) && namespace !== undefined) {
    const scopes = spec.targetRefs.map((ref): TargetScope | undefined => {
      if (!isRecord(ref)) return undefined;
      if (ref["kind"] === "Namespace") return { kind: "namespace", namespace };
      if (ref["kind"] === "Service" && typeof ref["name"] === "string") return { kind: "service", service: `${namespace}/${ref["name"]}` };
      return undefined;
    });
    return scopes.every((scope) => scope !== undefined) && scopes.length > 0 ? scopes : all;
  }
  if (Array.isArray(spec.targetSelectors)) {
    const scopes = spec.targetSelectors.map((selector): TargetScope | undefined => {
      const pods = readSelector(selector);
      return pods === undefined ? undefined : { kind: "pods", ...reach, pods };
    });
    return scopes.every((scope) => scope !== undefined) && scopes.length > 0 ? scopes : all;
  }
  return all;
}

function reachOf(namespace: string | undefined, spec: Targets): { namespace?: string; namespaces?: LabelSelector } {
  if (namespace !== undefined) return { namespace };
  const namespaces = readSelector(spec.targetNamespaces);
  return namespaces === undefined ? {} : { namespaces };
}

function readSelector(value: unknown): LabelSelector | undefined {
  if (!isRecord(value)) return undefined;
  const { matchLabels, matchExpressions } = value as LabelSelector;
  if (matchLabels !== undefined && !isRecord(matchLabels)) return undefined;
  if (matchExpressions !== undefined && !Array.isArray(matchExpressions)) return undefined;
  return { ...(matchLabels === undefined ? {} : { matchLabels }), ...(matchExpressions === undefined ? {} : { matchExpressions }) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The keys under which a policy is filed. A selector is filed under one of its label pairs, and checked in full later. */
export function scopeKeys(scopes: readonly TargetScope[]): string[] {
  return scopes.map((scope) => {
    switch (scope.kind) {
      case "service":
        return `service|${scope.service}`;
      case "namespace":
        return `namespace|${scope.namespace ?? "*"}`;
      case "pods": {
        const pair = Object.entries(scope.pods.matchLabels ?? {})[0];
        const namespace = scope.namespace ?? "*";
        return pair === undefined ? `namespace|${namespace}` : `pods|${namespace}|${pair[0]}=${pair[1]}`;
      }
    }
  });
}

/** The keys under which a workload finds every policy that may concern it. */
export function lookupKeys(workload: Workload): string[] {
  const labels = Object.entries(workload.labels);
  return [
    `namespace|${workload.namespace}`,
    "namespace|*",
    ...labels.flatMap(([key, value]) => [`pods|${workload.namespace}|${key}=${value}`, `pods|*|${key}=${value}`]),
    ...new Set(workload.ports.flatMap((port) => port.services.map((service) => `service|${service}`))),
  ];
}

/** Whether a scope covers a workload at all, on whichever port. */
export function coversWorkload(scope: TargetScope, workload: Workload, namespaceLabels: Readonly<Record<string, string>>): boolean {
  switch (scope.kind) {
    case "service":
      return workload.ports.some((port) => port.services.includes(scope.service));
    case "namespace":
      return inReach(scope, workload, namespaceLabels);
    case "pods":
      return inReach(scope, workload, namespaceLabels) && labelsMatch(scope.pods, workload.labels);
  }
}

/** Whether a scope covers one port of a workload that it covers: a Service protects only the ports that it leads to. */
export function coversPort(scope: TargetScope, port: WorkloadPort): boolean {
  return scope.kind !== "service" || port.services.includes(scope.service);
}

function inReach(
  scope: { readonly namespace?: string; readonly namespaces?: LabelSelector },
  workload: Workload,
  namespaceLabels: Readonly<Record<string, string>>,
): boolean {
  if (scope.namespace !== undefined) return scope.namespace === workload.namespace;
  return scope.namespaces === undefined || labelsMatch(scope.namespaces, namespaceLabels);
}

/** The label keys that a policy selects pods by: those that make two pods different workloads. */
export function selectedLabels(scopes: readonly TargetScope[]): string[] {
  const keys = scopes.flatMap((scope) =>
    scope.kind === "pods"
      ? [...Object.keys(scope.pods.matchLabels ?? {}), ...(scope.pods.matchExpressions ?? []).map((expression) => expression.key)]
      : [],
  );
  return [...new Set(keys)].sort();
}

/** The object of a policy that holds. */
export function objectOf<T extends KubernetesObject>(entry: PolicyEntry<T["spec"]> | undefined): T | undefined {
  return entry?.policy.state === "valid" ? (entry.policy.object as T) : undefined;
}
