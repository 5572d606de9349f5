import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { type Clock, DAY, SECOND, systemClock } from "./clock.ts";
import { JoinTokenError } from "./join-token-error.ts";
import { type Randomness, systemRandomness } from "./randomness.ts";
import { segmentProblem } from "./spiffe.ts";
import { corrupt } from "./state-error.ts";
import { StateFolder } from "./state-folder.ts";
import type { StateStore } from "./state-store.ts";

/** Issuer and audience of every join token: a token of another system is never one, even if it were signed with the same key. */
export const JOIN_TOKEN_NAME = "seawall";
export const JOIN_TOKEN_ALGORITHM = "ES256";
/** The claim that holds {@link PodClaim}. */
export const POD_CLAIM = "seawall.dev";

/** Which pod a token is for. */
export interface PodClaim {
  readonly namespace: string;
  readonly pod: string;
  /** Absent where pods have no UID, as in a folder of files: then the token is good for whatever pod has the name. */
  readonly uid?: string;
  /** Unix seconds at which the first token of a chain of renewals was made. */
  readonly since: number;
}

export interface JoinTokenRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly uid?: string;
  /** Milliseconds, of which whole seconds count: from a second to 366 days. */
  readonly ttl: number;
}

export interface JoinToken {
  readonly token: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

const KEY_FILE = "token-signing-key.pem";
const LONGEST_TTL = 366 * DAY;

/** The ES256 key of a state folder, which signs join tokens. Apart from the certificates: it can be made before the trust domain is known. */
export class JoinTokenKey {
  readonly #privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Tells keys apart: the start of the SHA-256 of the public key. */
  readonly id: string;

  private constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.publicKey = createPublicKey(privateKey);
    this.id = hash("sha256", this.publicKey.export({ type: "spki", format: "der" }), "base64url").slice(0, 16);
  }

  /** Reads the key, or makes it where there is none. Throws StateError. */
  static open(folder: StateStore): JoinTokenKey {
    const pem = folder.readOrCreate(KEY_FILE, () =>
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    );
    let key: KeyObject;
    try {
      key = createPrivateKey(pem);
    } catch (cause) {
      throw corrupt(folder, KEY_FILE, "does not hold a private key that can be read", cause);
    }
    if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw corrupt(folder, KEY_FILE, "does not hold a P-256 key");
    return new JoinTokenKey(key);
  }

  /** Signs a token that is good from now on. `since` is kept over renewals. Throws JoinTokenError `InvalidRequest`. */
  async sign(request: JoinTokenRequest, clock: Clock, randomness: Randomness, since?: number): Promise<JoinToken> {
    const { namespace, pod, uid, ttl } = request;
    const problem = segmentProblem("namespace", namespace) ?? segmentProblem("pod name", pod) ?? ttlProblem(ttl);
    if (problem !== undefined) throw new JoinTokenError("InvalidRequest", problem);
    const issued = Math.floor(clock.now() / SECOND);
    const expires = issued + Math.floor(ttl / SECOND);
    const claim: PodClaim = { namespace, pod, ...(uid === undefined ? {} : { uid }), since: since ?? issued };
    const token = await new SignJWT({ [POD_CLAIM]: claim })
      .setProtectedHeader({ alg: JOIN_TOKEN_ALGORITHM, typ: "JWT", kid: this.id })
      .setIssuer(JOIN_TOKEN_NAME)
      .setAudience(JOIN_TOKEN_NAME)
      .setJti(randomness.bytes(16).toString("base64url"))
      .setIssuedAt(issued)
      .setNotBefore(issued)
      .setExpirationTime(expires)
      .sign(this.#privateKey);
    return { token, expiresAt: expires * SECOND };
  }
}

/**
 * Makes a token with which the sidecar of one pod joins the mesh. Needs nothing but the state folder: it works beside a
 * running control plane, and before the first start. Throws StateError and JoinTokenError.
 */
export async function createJoinToken(
  stateFolder: string,
  request: JoinTokenRequest,
  { clock = systemClock, randomness = systemRandomness }: { clock?: Clock; randomness?: Randomness } = {},
): Promise<JoinToken> {
  return JoinTokenKey.open(StateFolder.open(stateFolder, "read")).sign(request, clock, randomness);
}

function ttlProblem(ttl: number): string | undefined {
  return ttl >= SECOND && ttl <= LONGEST_TTL ? undefined : "the time to live must be from a second to 366 days";
}
