import type { Kind } from "../core/kind.ts";
import { SEAWALL_API_VERSION } from "../core/object.ts";
import { rateLimitPolicyResource } from "./custom-resource.ts";
import { RateLimitPolicySpec } from "./schema.ts";
import { validate } from "./validate.ts";

export const rateLimitPolicy: Kind<typeof RateLimitPolicySpec> = {
  kind: "RateLimitPolicy",
  apiVersion: SEAWALL_API_VERSION,
  plural: "ratelimitpolicies",
  shortNames: ["ratelimit"],
  scope: "Namespaced",
  question: "how often, per whom",
  security: true,
  schema: RateLimitPolicySpec,
  customResource: rateLimitPolicyResource,
  validate,
};

export {
  type Bucket,
  type Buckets,
  bucketName,
  evaluate,
  type LimitResult,
  limitsOf,
  type MatchedLimit,
  type NamedLimit,
} from "./evaluate.ts";
export { AUDITED_LIMIT_HEADER, LIMIT_HEADERS_LUA } from "./limit-headers-lua.ts";
export { NO_KEY } from "./limit-key.ts";
export { type LimitStage, stageOf } from "./limit-stage.ts";
export { type RateLimitPolicy, RateLimitPolicySpec } from "./schema.ts";
export { MOST_BUCKETS, policyId, translate, type TranslatedLimits, translateInvalid } from "./translate.ts";
