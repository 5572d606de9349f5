import type { Kind } from "../core/kind.ts";
import { SEAWALL_API_VERSION } from "../core/object.ts";
import { authenticationPolicyResource } from "./custom-resource.ts";
import { AuthenticationPolicySpec } from "./schema.ts";
import { validate } from "./validate.ts";

export const authenticationPolicy: Kind<typeof AuthenticationPolicySpec> = {
  kind: "AuthenticationPolicy",
  apiVersion: SEAWALL_API_VERSION,
  plural: "authenticationpolicies",
  shortNames: ["authn"],
  scope: "Namespaced",
  question: "how does a caller prove who it is",
  security: true,
  schema: AuthenticationPolicySpec,
  customResource: authenticationPolicyResource,
  validate,
};

export { claimHeaders, vouchedHeaders } from "./claim-headers.ts";
export { acceptedIssuers, type AuthenticationResult, evaluate, type PlaceVerdict, presentedTokens } from "./evaluate.ts";
export type { JwksOf, JwksState } from "./jwks-state.ts";
export { type PresentedAt, readTokens } from "./read-tokens.ts";
export { type AuthenticationPolicy, AuthenticationPolicySpec } from "./schema.ts";
export { issuersByPlace, placeName, type TokenPlace } from "./token-place.ts";
export { policyId, translate, translateInvalid } from "./translate.ts";
export { CLOCK_SKEW_SECONDS, type TokenVerdict, verifyToken } from "./verify-token.ts";
