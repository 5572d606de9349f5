import type { Kind } from "../core/kind.ts";
import { SEAWALL_API_VERSION } from "../core/object.ts";
import { mutualTLSPolicyResource } from "./custom-resource.ts";
import { MutualTLSPolicySpec } from "./schema.ts";
import { validateMutualTLSPolicy } from "./validate.ts";

export const mutualTLSPolicy: Kind<typeof MutualTLSPolicySpec> = {
  kind: "MutualTLSPolicy",
  apiVersion: SEAWALL_API_VERSION,
  plural: "mutualtlspolicies",
  shortNames: ["mtls"],
  scope: "Namespaced",
  question: "is mTLS strict, permissive or off here; which TLS versions and curves",
  security: true,
  schema: MutualTLSPolicySpec,
  customResource: mutualTLSPolicyResource,
  validate: validateMutualTLSPolicy,
};

export { DEFAULT_STRICT, type EffectiveMutualTls, effectiveMutualTls } from "./evaluate.ts";
export { Mode, type MutualTLSPolicy, MutualTLSPolicySpec } from "./schema.ts";
export { translateMutualTls } from "./translate.ts";
