import { hash } from "node:crypto";
import { type Clock, SECOND } from "../../ca/clock.ts";
import { AuthenticationUnavailable } from "../../xds-server/delta/feed.ts";
import { type KubernetesApi, KubernetesApiError } from "../kubernetes/api.ts";
import { SidecarTokenError } from "./sidecar-token-error.ts";
import { notBound, record, TOKEN_AUDIENCE, type TokenBearer } from "./token-claims.ts";

const PATH = "/apis/authentication.k8s.io/v1/tokenreviews";
const POD_NAME = "authentication.kubernetes.io/pod-name";
const POD_UID = "authentication.kubernetes.io/pod-uid";
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** How long an answer may be used again: a pod that is deleted is known to the mesh by then. */
const LONGEST_USE = 10 * SECOND;
/** Reviews at once. After a restart of the control plane every sidecar asks. */
const PARALLEL = 16;

interface Review {
  readonly at: number;
  readonly bearer: Promise<TokenBearer>;
}

/** Asks the API server whose a token is: once for all who present the same one within a few seconds. */
export class TokenReviews {
  readonly #api: KubernetesApi;
  readonly #clock: Clock;
  /** By SHA-256 of the token, oldest first. */
  readonly #reviews = new Map<string, Review>();
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(api: KubernetesApi, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
  }

  /** Rejects with a SidecarTokenError when the API server says no, and with AuthenticationUnavailable when it says nothing. */
  review(token: string): Promise<TokenBearer> {
    this.#forgetOld();
    const digest = hash("sha256", token, "base64url");
    const known = this.#reviews.get(digest);
    if (known !== undefined) return known.bearer;
    const review = { at: this.#clock.now(), bearer: this.#ask(token) };
    this.#reviews.set(digest, review);
    review.bearer.catch((failure: unknown) => {
      if (failure instanceof AuthenticationUnavailable && this.#reviews.get(digest) === review) this.#reviews.delete(digest);
    });
    return review.bearer;
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [digest, { at }] of this.#reviews) {
      if (Math.abs(now - at) < LONGEST_USE) return;
      this.#reviews.delete(digest);
    }
  }

  async #ask(token: string): Promise<TokenBearer> {
    if (this.#running >= PARALLEL) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#running++;
    try {
      const spec = { token, audiences: [TOKEN_AUDIENCE] };
      const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec };
      return bearerIn(record(record(await this.#api.create({ path: PATH }, review))["status"]));
    } catch (failure) {
      if (!(failure instanceof KubernetesApiError)) throw failure;
      throw new AuthenticationUnavailable(`the API server does not say whose the token is: ${failure.message}`, { cause: failure });
    } finally {
      this.#running--;
      this.#queue.shift()?.();
    }
  }
}

/** Who the `status` of a TokenReview names. */
function bearerIn(status: Readonly<Record<string, unknown>>): TokenBearer {
  const { authenticated, audiences, error } = status;
  if (authenticated !== true || !Array.isArray(audiences) || !audiences.includes(TOKEN_AUDIENCE)) {
    const why = typeof error === "string" && error !== "" ? error : "it is not authenticated";
    throw new SidecarTokenError("TokenRefused", `the API server refuses the token: ${why}`);
  }
  const { username, extra } = record(status["user"]);
  const [, namespace, serviceAccount] = SERVICE_ACCOUNT.exec(String(username)) ?? [];
  const [pod, uid] = [POD_NAME, POD_UID].map((key) => only(record(extra)[key]));
  if (namespace === undefined || serviceAccount === undefined || pod === undefined || uid === undefined) throw notBound();
  return { namespace, pod, uid, serviceAccount };
}

function only(values: unknown): string | undefined {
  if (!Array.isArray(values) || values.length !== 1) return undefined;
  const value: unknown = values[0];
  return typeof value === "string" ? value : undefined;
}
