import type { Kind } from "../core/kind.ts";
import { SEAWALL_API_VERSION } from "../core/object.ts";
import { accessPolicyResource } from "./custom-resource.ts";
import { AccessPolicySpec } from "./schema.ts";
import { validateAccessPolicy } from "./validate.ts";

export const accessPolicy: Kind<typeof AccessPolicySpec> = {
  kind: "AccessPolicy",
  apiVersion: SEAWALL_API_VERSION,
  plural: "accesspolicies",
  shortNames: ["ap"],
  scope: "Namespaced",
  question: "who may do what, where from, when: Allow or Deny, enforced or audited",
  security: true,
  schema: AccessPolicySpec,
  customResource: accessPolicyResource,
  validate: validateAccessPolicy,
};

export { ACCESS_RULES, ACTION_COLUMN } from "./custom-resource.ts";
export { type Caller, callersOf } from "./callers.ts";
export { type AccessSituation, type Decision, type DefaultAccess, evaluateAccess, MALFORMED } from "./evaluate.ts";
export { ACCESS_FIELDS, type AccessPolicy, AccessPolicySpec, type AnyAccessPolicy } from "./schema.ts";
export { type AccessContext, closesPort, translateAccess, type TranslatedAccess } from "./translate.ts";
export { checkIssuers, validateAccess } from "./validate.ts";
