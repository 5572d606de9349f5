import type { Kind } from "../core/kind.ts";
import { SEAWALL_API_VERSION } from "../core/object.ts";
import { MutualTLSPolicySpec } from "./schema.ts";
import { validate } from "./validate.ts";

export const mutualTlsPolicy: Kind<typeof MutualTLSPolicySpec> = {
  kind: "MutualTLSPolicy",
  apiVersion: SEAWALL_API_VERSION,
  plural: "mutualtlspolicies",
  shortNames: ["mtls"],
  scope: "Namespaced",
  question: "is mTLS strict, permissive or off here; which TLS versions and curves",
  security: true,
  schema: MutualTLSPolicySpec,
  validate,
};

export { evaluate, mutualTlsDemand, type MutualTlsDemand } from "./evaluate.ts";
export { type MutualTLSMode, type MutualTLSPolicy, MutualTLSPolicySpec } from "./schema.ts";
export { translate } from "./translate.ts";
