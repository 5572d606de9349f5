/**
 * Who a sidecar is, by the token that the kubelet projects into its pod (audience `seawall`). The answer comes from the
 * token alone, never from what its bearer says of itself.
 *
 *     offline: the cluster's keys signed it, for us, and it has not run out      (forgeries stop here, at no cost to others)
 *     -> the API server reviews it: the pod is not deleted, the account neither  (mode "token-review")
 *     -> the mesh knows the pod by that name, UID and service account            (a short wait: the sidecar may be quicker)
 *
 * While the API server is away open streams go on. A sidecar that connects anew is asked to come again ("token-review",
 * which fails closed), or is let in by what the mesh last knew of pods ("jwks": a signed token of a pod that the watch
 * has seen, and has not seen deleted, is good until it runs out). In both modes a stream ends with its pod.
 *
 * Clocks: the API server stamps tokens and judges them by the same clock, so where it is asked our own may differ by
 * {@link CLOCK_SKEW}. Where it is not, `exp` gets no grace: it is what bounds the use of a stolen token.
 */
import { decodeJwt } from "jose";
import { type Clock, MINUTE, SECOND, systemClock } from "../../ca/clock.ts";
import { type AuthenticatedSubscriber, AuthenticationUnavailable, type StreamAuthenticator } from "../../xds-server/delta/feed.ts";
import type { Collection } from "../collections/collection.ts";
import type { Log } from "../control-plane-options.ts";
import { type KubernetesApi, KubernetesApiError } from "../kubernetes/api.ts";
import { ClusterKeys, KEYS_PATH } from "./cluster-keys.ts";
import { type KnownPod, LivePods } from "./live-pods.ts";
import { SidecarTokenError } from "./sidecar-token-error.ts";
import { expired, refusalOf, TOKEN_AUDIENCE, type TokenBearer, tokenClaims, type TokenClaims } from "./token-claims.ts";
import { TokenReviews } from "./token-reviews.ts";

/** Who has the last word on a token whose signature is good. */
export type TokenVerification =
  /** The API server, for every stream. */
  | "token-review"
  /** The pods and service accounts that the mesh knows. */
  | "jwks";

export interface ProjectedTokenAuthenticatorOptions {
  readonly api: KubernetesApi;
  /** By `namespace/name`. */
  readonly pods: Collection<string, KnownPod>;
  /** Whether there is such a service account, as far as the mesh knows. */
  readonly hasServiceAccount: (namespace: string, name: string) => boolean;
  readonly verification: TokenVerification;
  readonly log: Log;
  /** Milliseconds for which a sidecar waits for the mesh to learn of its pod; 5 s when absent. */
  readonly patience?: number;
  readonly clock?: Clock;
}

/** How far the control plane's clock may differ from the API server's. */
export const CLOCK_SKEW = 10 * MINUTE;
/** How long a stream lives at least whose token the API server accepts although it has run out by our clock. */
const SHORTEST_STREAM = MINUTE;
/** Bytes. A projected token has about 1,200. */
const LONGEST_TOKEN = 8192;
const PATIENCE = 5 * SECOND;

export class ProjectedTokenAuthenticator implements StreamAuthenticator {
  readonly #verification: TokenVerification;
  readonly #hasServiceAccount: (namespace: string, name: string) => boolean;
  readonly #patience: number;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #keys: ClusterKeys;
  readonly #reviews: TokenReviews;
  readonly #pods: LivePods<KnownPod>;
  #keysMissing = false;

  constructor(options: ProjectedTokenAuthenticatorOptions) {
    const { api, pods, log, verification, patience = PATIENCE, clock = systemClock } = options;
    this.#verification = verification;
    this.#hasServiceAccount = options.hasServiceAccount;
    this.#patience = patience;
    this.#log = log;
    this.#clock = clock;
    this.#keys = new ClusterKeys(api, clock, (failure) =>
      log("warn", `the cluster's token keys could not be read again: ${messageOf(failure)}`),
    );
    this.#reviews = new TokenReviews(api, clock);
    this.#pods = new LivePods(pods, clock);
  }

  /** `subscriber` is `namespace/pod`. Rejects with a SidecarTokenError, or with AuthenticationUnavailable. */
  async authenticate(bearerToken: string | undefined): Promise<AuthenticatedSubscriber> {
    if (bearerToken === undefined || bearerToken === "") throw new SidecarTokenError("TokenMissing", "no token was presented");
    if (bearerToken.length > LONGEST_TOKEN)
      throw new SidecarTokenError("TokenMalformed", "the bearer token is too long to be a service account's");
    const claims = await this.#verifyOffline(bearerToken);
    const expiresAt = await this.#judge(bearerToken, claims);
    await this.#refuseForeignPod(claims);
    const { namespace, pod, uid } = claims;
    const subscriber = `${namespace}/${pod}`;
    return { subscriber, uid, expiresAt, onRevoked: (end) => this.#pods.onGone(subscriber, uid, end) };
  }

  close(): void {
    this.#pods.close();
  }

  async #verifyOffline(token: string): Promise<TokenClaims> {
    const currentDate = new Date(this.#clock.now());
    const options = { audience: TOKEN_AUDIENCE, clockTolerance: CLOCK_SKEW / SECOND, currentDate, requiredClaims: ["exp"] };
    try {
      const payload = await this.#keys.verify(token, options);
      this.#keysMissing = false;
      return tokenClaims(payload);
    } catch (failure) {
      if (failure instanceof SidecarTokenError) throw failure;
      if (!(failure instanceof KubernetesApiError)) throw refusalOf(failure);
      return this.#withoutKeys(token, failure);
    }
  }

  /** Without keys there is the API server's own verdict, or none. */
  #withoutKeys(token: string, failure: KubernetesApiError): TokenClaims {
    if (!this.#keysMissing) this.#log("warn", `the cluster's token keys cannot be read from ${KEYS_PATH}: ${failure.message}`);
    this.#keysMissing = true;
    if (this.#verification === "jwks") {
      throw new AuthenticationUnavailable("the cluster's token keys cannot be read for now", { cause: failure });
    }
    try {
      return tokenClaims(decodeJwt(token));
    } catch (error) {
      throw error instanceof SidecarTokenError ? error : refusalOf(error);
    }
  }

  /** Until when a token is good, in Unix milliseconds. */
  async #judge(token: string, claims: TokenClaims): Promise<number> {
    const now = this.#clock.now();
    switch (this.#verification) {
      case "jwks":
        if (claims.expiresAt <= now) throw expired(claims.expiresAt);
        return claims.expiresAt;
      case "token-review":
        refuseAnother(claims, await this.#reviews.review(token));
        return Math.max(claims.expiresAt, now + SHORTEST_STREAM);
    }
  }

  async #refuseForeignPod({ namespace, pod, uid, serviceAccount }: TokenBearer): Promise<void> {
    if (this.#verification === "jwks" && !this.#hasServiceAccount(namespace, serviceAccount)) {
      throw new SidecarTokenError("TokenRefused", `there is no service account ${namespace}/${serviceAccount}`);
    }
    const key = `${namespace}/${pod}`;
    const found = await this.#pods.find(key, uid, this.#patience);
    if (found === undefined) {
      // The API server has just said that it exists; only our watch, or the pod's address, is late.
      if (this.#verification === "token-review") throw new AuthenticationUnavailable(`the pod ${key} is not known here yet`);
      throw new SidecarTokenError("PodUnknown", `there is no pod ${key}`);
    }
    if (found.uid !== uid) {
      throw new SidecarTokenError("PodReplaced", `the token is for another pod than the one that is named ${key} now`);
    }
    if (found.serviceAccount !== serviceAccount) {
      throw new SidecarTokenError("TokenRefused", `the pod ${key} does not run as the service account ${serviceAccount}`);
    }
  }
}

/** What the token says and what the API server says of it are the same, or something is very wrong. */
function refuseAnother(claims: TokenBearer, reviewed: TokenBearer): void {
  const same = (["namespace", "pod", "uid", "serviceAccount"] as const).every((field) => claims[field] === reviewed[field]);
  if (!same) throw new SidecarTokenError("TokenRefused", "the API server says that the token is another pod's");
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
