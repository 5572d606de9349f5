import { validateAccess } from "../access-policy/index.ts";
import { validateLabelSelector, validateSelectors } from "../core/target.ts";
import type { Violation } from "../core/violation.ts";
import type { ClusterAccessPolicy } from "./schema.ts";

export function validateClusterAccessPolicy(policy: ClusterAccessPolicy): Violation[] {
  const { targetNamespaces, targetSelectors } = policy.spec;
  return [
    ...(targetNamespaces === undefined ? [] : validateLabelSelector(targetNamespaces, "spec.targetNamespaces")),
    ...validateSelectors(targetSelectors, "spec.targetSelectors"),
    ...validateAccess(policy),
  ];
}
