import { hash } from "node:crypto";
import { errors, type JWTPayload, jwtVerify } from "jose";
import { type Clock, SECOND, systemClock } from "./clock.ts";
import { JoinTokenError } from "./join-token-error.ts";
import { JOIN_TOKEN_ALGORITHM, JOIN_TOKEN_NAME, type JoinToken, type JoinTokenKey, POD_CLAIM, type PodClaim } from "./join-token.ts";
import { type Randomness, systemRandomness } from "./randomness.ts";

export interface TokenAuthenticatorOptions {
  readonly key: JoinTokenKey;
  /** The pod of that name, if there is one now. */
  readonly findPod: (namespace: string, pod: string) => { readonly uid?: string | undefined } | undefined;
  /** Milliseconds from a pod's first token during which it can be renewed; without limit when absent, for a sidecar has nobody to ask for another. */
  readonly maxLifetime?: number;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
}

/** Seconds by which `nbf` and `iat` may be in the future, for the clock of another machine. `exp` gets none: it bounds what a stolen token is good for, and sidecars renew at half of a token's life. */
export const CLOCK_SKEW = 30;

/** Bytes. A join token has about 400. */
const LONGEST_TOKEN = 4096;
const CACHED_TOKENS = 4096;

interface VerifiedToken {
  readonly claim: PodClaim;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  /** Milliseconds. */
  readonly ttl: number;
}

/**
 * Tells which pod a join token is for. The answer comes from the token alone, never from what its bearer says of
 * itself, so a token of one workload gets nobody the configuration of another.
 *
 * Has the shape of the delta server's StreamAuthenticator.
 */
export class TokenAuthenticator {
  readonly #options: TokenAuthenticatorOptions;
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  /** By SHA-256 of the token, oldest first. What the signature covers never changes; whether the pod exists is asked every time. */
  readonly #verified = new Map<string, VerifiedToken>();

  constructor(options: TokenAuthenticatorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#randomness = options.randomness ?? systemRandomness;
  }

  /** `expiresAt` is the token's `exp` in Unix milliseconds. Rejects with a {@link JoinTokenError}. */
  async authenticate(bearerToken: string | undefined): Promise<{ readonly subscriber: string; readonly expiresAt: number }> {
    const { claim, expiresAt } = await this.#verify(bearerToken);
    this.#refuseForeignPod(claim);
    return { subscriber: `${claim.namespace}/${claim.pod}`, expiresAt };
  }

  /** A token for the same pod that lives as long as this one did, counted from now. Only while this one would be accepted. */
  async renew(bearerToken: string | undefined): Promise<JoinToken> {
    const { claim, ttl } = await this.#verify(bearerToken);
    this.#refuseForeignPod(claim);
    const { key, maxLifetime = Infinity } = this.#options;
    const end = claim.since * SECOND + maxLifetime;
    const remaining = Math.min(ttl, end - this.#clock.now());
    if (remaining < SECOND)
      throw new JoinTokenError("TokenLifetimeExhausted", "the join token cannot be renewed any longer: create a new one");
    return key.sign({ ...claim, ttl: remaining }, this.#clock, this.#randomness, claim.since);
  }

  async #verify(token: string | undefined): Promise<VerifiedToken> {
    if (token === undefined || token === "") throw new JoinTokenError("TokenMissing", "no join token was presented");
    if (token.length > LONGEST_TOKEN) throw new JoinTokenError("TokenMalformed", "the bearer token is too long to be a join token");
    const digest = hash("sha256", token, "base64url");
    const cached = this.#verified.get(digest);
    if (cached !== undefined) {
      if (cached.expiresAt > this.#clock.now()) return cached;
      this.#verified.delete(digest);
      throw expired(cached.expiresAt);
    }
    const verified = await this.#verifySignature(token);
    if (this.#verified.size >= CACHED_TOKENS) this.#forgetOldest();
    this.#verified.set(digest, verified);
    return verified;
  }

  async #verifySignature(token: string): Promise<VerifiedToken> {
    const now = this.#clock.now();
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, this.#options.key.publicKey, {
        algorithms: [JOIN_TOKEN_ALGORITHM],
        issuer: JOIN_TOKEN_NAME,
        audience: JOIN_TOKEN_NAME,
        clockTolerance: CLOCK_SKEW,
        currentDate: new Date(now),
        requiredClaims: ["exp", "iat", "nbf", "jti", POD_CLAIM],
      }));
    } catch (cause) {
      throw refusal(cause);
    }
    const claim = podClaim(payload[POD_CLAIM]);
    const { iat, exp } = payload;
    if (claim === undefined || iat === undefined || exp === undefined) {
      throw new JoinTokenError("TokenMalformed", `the token's claim ${POD_CLAIM} does not name a pod`);
    }
    if (iat * SECOND > now + CLOCK_SKEW * SECOND) throw notYetValid();
    if (exp * SECOND <= now) throw expired(exp * SECOND);
    return { claim, expiresAt: exp * SECOND, ttl: (exp - iat) * SECOND };
  }

  #refuseForeignPod({ namespace, pod, uid }: PodClaim): void {
    const found = this.#options.findPod(namespace, pod);
    if (found === undefined) throw new JoinTokenError("PodUnknown", `there is no pod ${namespace}/${pod}`);
    if (uid !== undefined && found.uid !== uid) {
      throw new JoinTokenError("PodReplaced", `the token is for another pod than the one that is named ${namespace}/${pod} now`);
    }
  }

  #forgetOldest(): void {
    const oldest = this.#verified.keys().next();
    if (oldest.done !== true) this.#verified.delete(oldest.value);
  }
}

function refusal(cause: unknown): JoinTokenError {
  if (cause instanceof errors.JWTExpired) return expired(Number(cause.payload.exp) * SECOND, cause);
  if (cause instanceof errors.JWTClaimValidationFailed && cause.reason === "check_failed") {
    switch (cause.claim) {
      case "nbf":
        return notYetValid(cause);
      case "aud":
        return new JoinTokenError("TokenWrongAudience", "the token was made for another audience, not for the control plane", cause);
      case "iss":
        return new JoinTokenError("TokenWrongIssuer", "the token was not made by seawall", cause);
    }
  }
  if (cause instanceof errors.JWSSignatureVerificationFailed) {
    return new JoinTokenError(
      "TokenWrongSignature",
      "the join token was not signed by this control plane: create one from its state folder",
      cause,
    );
  }
  return new JoinTokenError("TokenMalformed", "the bearer token is not a join token", cause);
}

function expired(at: number, cause?: unknown): JoinTokenError {
  const when = Number.isFinite(at) && Math.abs(at) < 8.64e15 ? ` on ${new Date(at).toISOString()}` : "";
  return new JoinTokenError("TokenExpired", `the join token expired${when}`, cause);
}

function notYetValid(cause?: unknown): JoinTokenError {
  return new JoinTokenError("TokenNotYetValid", "the join token is not valid yet: compare the clocks of the two machines", cause);
}

function podClaim(value: unknown): PodClaim | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { namespace, pod, uid, since } = value as Readonly<Record<string, unknown>>;
  if (typeof namespace !== "string" || typeof pod !== "string" || !Number.isSafeInteger(since)) return undefined;
  if (uid !== undefined && typeof uid !== "string") return undefined;
  return { namespace, pod, since: since as number, ...(uid === undefined ? {} : { uid }) };
}
