/** Compiles one rule to one RBAC policy. What the RBAC filter cannot say about a rule, validation refuses beforehand. */
import { create } from "@bufbuild/protobuf";
import { type Policy, PolicySchema, type Principal } from "../../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import type { RbacRule } from "../contribution.ts";
import type { ObjectMeta } from "../object.ts";
import { INVALID_RULE, ruleName } from "../policy-name.ts";
import { narrowToPort, type RuleOnPort } from "./narrow-to-port.ts";
import type { Rule } from "./rule.ts";
import { allPrincipals, ANY_PERMISSION, ANY_PRINCIPAL, anyPrincipal, notPrincipal, type TranslateContext } from "./translate-context.ts";
import { fromPrincipal } from "./translate-from.ts";
import { toPermission, toPrincipal } from "./translate-to.ts";
import { headerPrincipals, headersCondition } from "./translate-when.ts";

export { ANY_PERMISSION, notPrincipal, type TranslateContext } from "./translate-context.ts";
export { meshPrincipal } from "./translate-from.ts";

/** A rule on a port: its RBAC policy, or why it has none there. */
export type TranslatedRule =
  | {
      readonly kind: "policy";
      readonly policy: Policy;
      /** A Deny rule that lost its conditions on HTTP, because the port is TCP: it refuses more than it says. */
      readonly widened: boolean;
    }
  /** It speaks of other ports only. */
  | { readonly kind: "elsewhere" }
  /** An Allow rule with conditions on HTTP never allows on a TCP port. */
  | { readonly kind: "never" };

export function translateRule(rule: Rule, action: "Allow" | "Deny", context: TranslateContext): TranslatedRule {
  const narrowed = narrowToPort(rule, context.port, action);
  if (narrowed.kind !== "rule") return narrowed;
  return { kind: "policy", policy: rulePolicy(narrowed.rule, action, context), widened: narrowed.widened };
}

function rulePolicy(rule: RuleOnPort, action: "Allow" | "Deny", context: TranslateContext): Policy {
  const callers = rule.from?.map((from) => fromPrincipal(from, context)) ?? [ANY_PRINCIPAL];
  const conditions: Principal[] = [
    ...(action === "Deny" ? headerPrincipals(rule.when) : []),
    ...rule.except.map((except) => notPrincipal(exceptPrincipal(except, context))),
  ];
  const condition = action === "Allow" ? headersCondition(rule.when) : undefined;
  return create(PolicySchema, {
    permissions: rule.to?.map(toPermission) ?? [ANY_PERMISSION],
    principals:
      conditions.length === 0 ? callers : [allPrincipals([...(rule.from === undefined ? [] : [anyPrincipal(callers)]), ...conditions])],
    ...(condition === undefined ? {} : { condition }),
  });
}

function exceptPrincipal(except: RuleOnPort["except"][number], context: TranslateContext): Principal {
  return allPrincipals([
    ...(except.from === undefined ? [] : [anyPrincipal(except.from.map((from) => fromPrincipal(from, context)))]),
    ...(except.to === undefined ? [] : [anyPrincipal(except.to.map(toPrincipal))]),
  ]);
}

/** What an invalid security policy amounts to: a refusal of everything that it protects, by its name. */
export function invalidPolicyRule(kind: string, metadata: Pick<ObjectMeta, "namespace" | "name">): RbacRule {
  return {
    slot: "deny",
    name: ruleName(kind, metadata, INVALID_RULE),
    policy: create(PolicySchema, { permissions: [ANY_PERMISSION], principals: [ANY_PRINCIPAL] }),
  };
}
