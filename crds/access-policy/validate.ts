import { fieldAt, itemAt } from "../core/field-path.ts";
import type { From } from "../core/match.ts";
import { validateRules } from "../core/match/validate-rules.ts";
import { validateTargets } from "../core/target.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import type { AccessPolicy, AnyAccessPolicy } from "./schema.ts";

export function validateAccessPolicy(policy: AccessPolicy): Violation[] {
  return [...validateTargets(policy.spec, policy.metadata), ...validateAccess(policy)];
}

/** What both kinds of access policy have in common. */
export function validateAccess({ spec, metadata }: AnyAccessPolicy): Violation[] {
  const { action, rules } = spec;
  if (action === "Deny" && (rules ?? []).length === 0) {
    return [
      violation(
        "spec.rules",
        "Required",
        "a Deny policy without rules says nothing: to refuse everything, write a rule that has only a name",
      ),
    ];
  }
  return validateRules(rules ?? [], "spec.rules", { namespace: metadata.namespace, action });
}

/**
 * Rules that ask for a token which nobody verifies on the policy's targets: `accepted` are the issuers that an
 * AuthenticationPolicy accepts there. Such an Allow rule never matches, which is a warning; such a Deny rule (and such an
 * exception of an Allow rule) would never refuse, so the policy is invalid.
 */
export function checkIssuers({ spec }: AnyAccessPolicy, accepted: ReadonlySet<string>): Violation[] {
  const check = (items: readonly From[] | undefined, path: string, refuses: boolean): Violation[] =>
    (items ?? []).flatMap(({ jwt }, index) => {
      if (jwt === undefined || accepted.has(jwt.issuer)) return [];
      const at = `${itemAt(path, index)}.jwt.issuer`;
      const message = `no AuthenticationPolicy for these targets accepts tokens of ${jwt.issuer}, so nobody can match: add one that does`;
      return [refuses ? violation(at, "NotFound", message) : warning(at, "NotFound", message)];
    });
  const denies = spec.action === "Deny";
  return (spec.rules ?? []).flatMap((rule, index) => {
    const at = itemAt("spec.rules", index);
    const inExcept = (rule.except ?? []).flatMap((except, one) =>
      check(except.from, `${itemAt(fieldAt(at, "except"), one)}.from`, !denies),
    );
    return [...check(rule.from, fieldAt(at, "from"), denies), ...inExcept];
  });
}
