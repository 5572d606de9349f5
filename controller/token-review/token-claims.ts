import { errors, type JWTPayload } from "jose";
import { SECOND } from "../../ca/clock.ts";
import { SidecarTokenError } from "./sidecar-token-error.ts";

/** The audience of sidecars' tokens, which their pods ask for: a token for anything else is none for the control plane. */
export const TOKEN_AUDIENCE = "seawall";

/** Which pod bears a token. */
export interface TokenBearer {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

export interface TokenClaims extends TokenBearer {
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/** Reads what a projected token says. Throws a SidecarTokenError when it names no pod. */
export function tokenClaims(payload: JWTPayload): TokenClaims {
  const { namespace, pod, serviceaccount } = record(payload["kubernetes.io"]);
  const { name, uid } = record(pod);
  const { name: serviceAccount } = record(serviceaccount);
  const { exp } = payload;
  if (typeof namespace !== "string" || typeof serviceAccount !== "string" || exp === undefined) {
    throw new SidecarTokenError("TokenMalformed", "the token is not one of a service account of this cluster");
  }
  if (typeof name !== "string" || typeof uid !== "string") throw notBound();
  return { namespace, pod: name, uid, serviceAccount, expiresAt: exp * SECOND };
}

export function notBound(): SidecarTokenError {
  return new SidecarTokenError("TokenNotBound", "the token is not bound to a pod: a sidecar's is projected into its pod by the kubelet");
}

/** A failure of jose as one of ours, with `now` in Unix milliseconds. */
export function refusalOf(cause: unknown): SidecarTokenError {
  if (cause instanceof errors.JWTExpired) return expired(Number(cause.payload.exp) * SECOND, cause);
  if (cause instanceof errors.JWTClaimValidationFailed) {
    switch (cause.claim) {
      case "aud":
        return new SidecarTokenError("TokenWrongAudience", `the token is not for the audience ${TOKEN_AUDIENCE}`, cause);
      case "nbf":
        return new SidecarTokenError("TokenNotYetValid", "the token is not valid yet: compare the clocks of the nodes", cause);
    }
  }
  if (cause instanceof errors.JWSSignatureVerificationFailed || cause instanceof errors.JWKSNoMatchingKey) {
    return new SidecarTokenError("TokenWrongSignature", "the token was not signed by this cluster's API server", cause);
  }
  return new SidecarTokenError("TokenMalformed", "the bearer token is not a service account's token", cause);
}

export function expired(at: number, cause?: unknown): SidecarTokenError {
  const when = Math.abs(at) < 8.64e15 ? ` on ${new Date(at).toISOString()}` : "";
  return new SidecarTokenError("TokenExpired", `the token expired${when}`, cause);
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
