import type { Kind } from "../core/kind.ts";
import { SEAWALL_API_VERSION } from "../core/object.ts";
import { clusterAccessPolicyResource } from "./custom-resource.ts";
import { ClusterAccessPolicySpec } from "./schema.ts";
import { validateClusterAccessPolicy } from "./validate.ts";

/** The platform team's access policy. Its rules are those of AccessPolicy, and so are `translateAccess` and `evaluateAccess`. */
export const clusterAccessPolicy: Kind<typeof ClusterAccessPolicySpec> = {
  kind: "ClusterAccessPolicy",
  apiVersion: SEAWALL_API_VERSION,
  plural: "clusteraccesspolicies",
  shortNames: ["cap"],
  scope: "Cluster",
  question: "who may do what in every namespace: the platform team's Allow or Deny",
  security: true,
  schema: ClusterAccessPolicySpec,
  customResource: clusterAccessPolicyResource,
  validate: validateClusterAccessPolicy,
};

export { type ClusterAccessPolicy, ClusterAccessPolicySpec } from "./schema.ts";
