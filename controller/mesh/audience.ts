import type { AccessPolicySpec } from "../../crds/access-policy/index.ts";
import { callersOf, closesPort } from "../../crds/access-policy/index.ts";
import type { DefaultAccess } from "../../crds/mesh-config/index.ts";
import type { PolicyEntry } from "./policy-entry.ts";

/** In a list of callers: anybody, with or without an identity. */
export const EVERYONE = "*";

/**
 * Who could be let in by some policy, judged by identity alone: `*`, `<namespace>/*` or `<namespace>/<service account>`,
 * sorted. It decides who sees the service at all.
 */
export function audienceOf(access: readonly PolicyEntry<AccessPolicySpec>[], defaultAccess: DefaultAccess): readonly string[] {
  const holding = access.flatMap(({ policy }) => (policy.state === "valid" ? [policy.object] : []));
  if (defaultAccess === "Audit" || (defaultAccess === "Allow" && !holding.some(closesPort))) return [EVERYONE];
  // Whom a policy let in before it was broken still sees the service, and so is refused there, by the policy's name.
  const broken = access.flatMap(({ policy }) => (policy.state === "invalid" && policy.lastGood !== undefined ? [policy.lastGood] : []));
  const callers = new Set<string>();
  for (const policy of [...holding, ...broken]) {
    const who = callersOf(policy);
    if (who === "everyone") return [EVERYONE];
    for (const caller of who) callers.add(`${caller.namespace}/${caller.serviceAccount}`);
  }
  return [...callers].sort();
}
