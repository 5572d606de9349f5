/** What is legal, and probably not meant: told to whoever writes the policy, while they are still looking. */
import { isDeepStrictEqual } from "node:util";
import { type AnyAccessPolicy, checkIssuers } from "../../crds/access-policy/index.ts";
import { fieldAt, itemAt } from "../../crds/core/field-path.ts";
import type { KubernetesObject } from "../../crds/core/object.ts";
import { labelsMatch } from "../../crds/core/labels.ts";
import type { Rule } from "../../crds/core/match/rule.ts";
import { type Violation, warning } from "../../crds/core/violation.ts";
import { policyEntry, type TargetScope } from "../mesh/policy-entry.ts";
import { sourceKey } from "../model/source-entry.ts";
import type { Known } from "./known.ts";

/** Of a policy that holds. `validate` has warned of what the policy alone can tell. */
export function risksOf(policy: KubernetesObject, known: Known): Violation[] {
  const found = targetRisks(policy, known);
  if (policy.kind !== "AccessPolicy" && policy.kind !== "ClusterAccessPolicy") return found;
  const access = policy as AnyAccessPolicy;
  // A policy may be applied before the one that it relies on, so even what would make it invalid is only told.
  const issuers = checkIssuers(access, known.acceptedIssuers()).map((one): Violation => ({ ...one, severity: "warning" }));
  return [...found, ...issuers, ...redundantRules(access.spec.rules ?? [])];
}

function targetRisks(policy: KubernetesObject, known: Known): Violation[] {
  const { kind, metadata } = policy;
  if (kind === "MeshConfig") return [];
  const key = sourceKey(kind, metadata.namespace, metadata.name);
  const { scopes } = policyEntry(key, { state: "valid", object: policy, origin: { file: "", line: 0 }, warnings: [] });
  const missing = scopes.flatMap((scope) => (scope.kind === "service" && !known.hasService(scope.service) ? [scope.service] : []));
  if (missing.length > 0) {
    const message = `there is no Service ${missing.join(", ")} (yet): nothing is protected by its name`;
    return [warning("spec.targetRefs", "NotFound", message)];
  }
  for (const { namespace, labels } of known.sidecars()) {
    if (scopes.some((scope) => scope.kind === "service" || reaches(scope, namespace, labels, known))) return [];
  }
  return scopes.some((scope) => scope.kind === "service")
    ? []
    : [warning("spec", "NotFound", "its target matches no running pod with a sidecar: it protects nothing (yet)")];
}

function reaches(
  scope: Exclude<TargetScope, { readonly kind: "service" }>,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  known: Known,
): boolean {
  if (scope.namespace !== undefined && scope.namespace !== namespace) return false;
  if (scope.namespaces !== undefined && !labelsMatch(scope.namespaces, known.namespaceLabels(namespace))) return false;
  return scope.kind === "namespace" || labelsMatch(scope.pods, labels);
}

/** Rules whose every request another rule of the same policy matches too, so that they decide nothing. */
function redundantRules(rules: readonly Rule[]): Violation[] {
  return rules.flatMap((rule, index) => {
    const wider = rules.findIndex((other, at) => at !== index && includes(other, rule) && (at < index || !includes(rule, other)));
    if (wider === -1) return [];
    const message = `decides nothing: whatever it matches, rule ${rules[wider]?.name ?? ""} matches already`;
    return [warning(fieldAt(itemAt("spec.rules", index), "name"), "Duplicate", message)];
  });
}

/** Whether `wide` asks for nothing that `narrow` does not ask for. It misses some that a closer look would find. */
function includes(wide: Rule, narrow: Rule): boolean {
  const asksNoMore = (["from", "to", "when"] as const).every((field) => {
    const asked: unknown = wide[field];
    if (asked === undefined || isDeepStrictEqual(asked, narrow[field])) return true;
    const items: unknown = narrow[field];
    return Array.isArray(asked) && Array.isArray(items) && items.every((item) => asked.some((one) => isDeepStrictEqual(one, item)));
  });
  return asksNoMore && (wide.except === undefined || isDeepStrictEqual(wide.except, narrow.except));
}
