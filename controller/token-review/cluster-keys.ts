import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify, type JWTVerifyOptions, type LocalJWKSet } from "jose";
import { type Clock, MINUTE, SECOND } from "../../ca/clock.ts";
import { type KubernetesApi, KubernetesApiError } from "../kubernetes/api.ts";

export const KEYS_PATH = "/openid/v1/jwks";

/** What the API server signs service accounts' tokens with. */
const ALGORITHMS = ["RS256", "ES256", "ES384", "ES512"];
/** How soon an unknown key may lead to another look: forged tokens cost the API server no more than that. */
const UNKNOWN_KEY_INTERVAL = 10 * SECOND;
/** How old a set may grow before a use of it fetches the next one: a key that is withdrawn stays good for this long. */
const LONGEST_AGE = 5 * MINUTE;

/** The public keys of the cluster's service-account tokens, as the API server publishes them. */
export class ClusterKeys {
  readonly #api: KubernetesApi;
  readonly #clock: Clock;
  readonly #onFailure: (failure: unknown) => void;
  #keys: LocalJWKSet | undefined;
  #askedAt = -Infinity;
  #fetching: Promise<LocalJWKSet> | undefined;

  /** `onFailure` is told when a newer set could not be fetched and the old one goes on. */
  constructor(api: KubernetesApi, clock: Clock, onFailure: (failure: unknown) => void) {
    this.#api = api;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  /** The claims of a token that one of the keys signed. Rejects with jose's error, or with a KubernetesApiError when there are no keys to judge by. */
  async verify(token: string, options: JWTVerifyOptions): Promise<JWTPayload> {
    const keys = this.#keys ?? (await this.#fetch());
    if (this.#age() >= LONGEST_AGE) this.#fetch().catch(this.#onFailure);
    try {
      return await verifyWith(keys, token, options);
    } catch (failure) {
      if (!(failure instanceof errors.JWKSNoMatchingKey) || (this.#age() < UNKNOWN_KEY_INTERVAL && this.#fetching === undefined))
        throw failure;
      return verifyWith(await this.#fetch(), token, options);
    }
  }

  #age(): number {
    return this.#clock.now() - this.#askedAt;
  }

  #fetch(): Promise<LocalJWKSet> {
    this.#askedAt = this.#fetching === undefined ? this.#clock.now() : this.#askedAt;
    this.#fetching ??= this.#read().finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  async #read(): Promise<LocalJWKSet> {
    const answer = await this.#api.get({ path: KEYS_PATH });
    try {
      // Not every client takes `application/jwk-set+json` for JSON.
      this.#keys = createLocalJWKSet((typeof answer === "string" ? JSON.parse(answer) : answer) as JSONWebKeySet);
    } catch (cause) {
      throw new KubernetesApiError(200, "Malformed", `${KEYS_PATH} does not hold a key set`, cause);
    }
    return this.#keys;
  }
}

async function verifyWith(keys: LocalJWKSet, token: string, options: JWTVerifyOptions): Promise<JWTPayload> {
  return (await jwtVerify(token, keys, { ...options, algorithms: ALGORITHMS })).payload;
}
