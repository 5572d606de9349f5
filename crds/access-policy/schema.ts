import Type, { type Static } from "typebox";
import { Enforcement, TARGET_FIELDS } from "../core/match.ts";
import { Rule } from "../core/match/rule.ts";
import type { KubernetesObject } from "../core/object.ts";

/** What AccessPolicy and ClusterAccessPolicy have in common. */
export const ACCESS_FIELDS = {
  action: Type.Union([Type.Literal("Allow"), Type.Literal("Deny")], {
    description: "Allow lets in what a rule matches, and nothing else then gets in. Deny refuses what a rule matches, whatever is allowed.",
  }),
  enforcement: Type.Optional(Enforcement),
  rules: Type.Optional(
    Type.Array(Rule, {
      maxItems: 200,
      description: "Any of these rules. Without rules an Allow policy permits nothing; a Deny policy is invalid.",
    }),
  ),
};

export const AccessPolicySpec = Type.Object(
  {
    ...TARGET_FIELDS,
    ...ACCESS_FIELDS,
  },
  { additionalProperties: false },
);
export type AccessPolicySpec = Static<typeof AccessPolicySpec>;
export type AccessPolicy = KubernetesObject<AccessPolicySpec>;

/** Either of the two kinds: they differ in what they protect, not in what they say. */
export type AnyAccessPolicy = KubernetesObject<Pick<AccessPolicySpec, "action" | "enforcement" | "rules">>;
