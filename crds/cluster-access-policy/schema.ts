import Type, { type Static } from "typebox";
import { ACCESS_FIELDS } from "../access-policy/index.ts";
import { LABEL_SELECTOR_FIELDS, TargetSelector } from "../core/match.ts";
import type { KubernetesObject } from "../core/object.ts";

const NamespaceSelector = Type.Object(
  {
    ...LABEL_SELECTOR_FIELDS,
  },
  {
    additionalProperties: false,
    minProperties: 1,
    description: "The namespaces that the policy protects, by label. Without it: every namespace.",
  },
);

export const ClusterAccessPolicySpec = Type.Object(
  {
    targetNamespaces: Type.Optional(NamespaceSelector),
    targetSelectors: Type.Optional(
      Type.Array(TargetSelector, {
        minItems: 1,
        maxItems: 16,
        description: "The pods that the policy protects, by label. Without it: every pod.",
      }),
    ),
    ...ACCESS_FIELDS,
  },
  { additionalProperties: false },
);
export type ClusterAccessPolicySpec = Static<typeof ClusterAccessPolicySpec>;
export type ClusterAccessPolicy = KubernetesObject<ClusterAccessPolicySpec>;
