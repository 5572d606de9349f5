/** Tokens as callers present them, sound and broken ones. */
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT, UnsecuredJWT } from "jose";
import { AUDIENCE, ISSUERS } from "./cast.ts";

/** What is wrong with a token; `none` is a sound one. */
export const TOKEN_FAULTS = [
  "none",
  "expired",
  "wrong-signature",
  "unsecured",
  "hmac-with-public-key",
  "no-expiry",
  "not-yet-valid",
  "wrong-audience",
  "unknown-key",
  "unknown-issuer",
  "garbage",
  "empty",
] as const;
export type TokenFault = (typeof TOKEN_FAULTS)[number];

/** How a request carries a token: at places that policies read, and at some that only look like them. */
export const TOKEN_CARRIERS = {
  bearer: (token: string) => ({ header: ["authorization", `Bearer ${token}`] }),
  header: (token: string) => ({ header: ["x-token", token] }),
  scheme: (token: string) => ({ header: ["authorization", `Token ${token}`] }),
  query: (token: string) => ({ parameter: `token=${token}` }),
  "escaped-query": (token: string) => ({ parameter: `%74oken=${token}` }),
  "lower-case-bearer": (token: string) => ({ header: ["authorization", `bearer ${token}`] }),
  "bearer-with-more": (token: string) => ({ header: ["authorization", `Bearer ${token} x`] }),
  "bearer-after-basic": (token: string) => ({ header: ["authorization", `Basic Zm9v, Bearer ${token}`] }),
  "bearer-with-two-spaces": (token: string) => ({ header: ["authorization", `Bearer  ${token}`] }),
  bare: (token: string) => ({ header: ["authorization", token] }),
  "scheme-without-space": (token: string) => ({ header: ["authorization", `Token${token}`] }),
  "scheme-in-upper-case": (token: string) => ({ header: ["authorization", `TOKEN ${token}`] }),
  "header-with-scheme": (token: string) => ({ header: ["x-token", `Bearer ${token}`] }),
} as const satisfies Record<string, (token: string) => { readonly header: readonly [string, string] } | { readonly parameter: string }>;
export type TokenCarrier = keyof typeof TOKEN_CARRIERS;

export interface TokenPresentation {
  readonly issuer: string;
  /** Beside iss, aud, iat and exp. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly fault: TokenFault;
  /** `bearer` when absent. */
  readonly carrier?: TokenCarrier;
}

/** Signs tokens of every issuer of the cast with keys of its own. */
export class TokenMint {
  readonly #keys: ReadonlyMap<string, IssuerKey>;
  readonly #strangersKey: CryptoKey;

  private constructor(keys: ReadonlyMap<string, IssuerKey>, strangersKey: CryptoKey) {
    this.#keys = keys;
    this.#strangersKey = strangersKey;
  }

  static async open(): Promise<TokenMint> {
    const keys = new Map<string, IssuerKey>();
    for (const issuer of ISSUERS) keys.set(issuer, await newKey(`key-of-${keys.size}`));
    return new TokenMint(keys, (await generateKeyPair("ES256")).privateKey);
  }

  /** The issuer's JSON Web Key Set, as JSON text. */
  jwks(issuer: string): string {
    return JSON.stringify({ keys: [this.#keyOf(issuer).jwk] });
  }

  /** The compact token. Times are relative to `now`, in seconds since 1970. */
  async mint({ issuer, claims, fault }: TokenPresentation, now: number): Promise<string> {
    const key = this.#keyOf(issuer);
    const payload = {
      ...claims,
      iss: fault === "unknown-issuer" ? "https://nobody.example.com" : issuer,
      aud: fault === "wrong-audience" ? "elsewhere" : AUDIENCE,
      iat: now - 60,
      ...(fault === "no-expiry" ? {} : { exp: fault === "expired" ? now - 3_600 : now + 3_600 }),
      ...(fault === "not-yet-valid" ? { nbf: now + 3_600 } : {}),
    };
    switch (fault) {
      case "garbage":
        return "not.a.token";
      case "empty":
        return "";
      case "unsecured":
        return new UnsecuredJWT(payload).encode();
      case "hmac-with-public-key":
        return new SignJWT(payload).setProtectedHeader({ alg: "HS256", kid: key.kid }).sign(Buffer.from(key.publicPem));
      case "wrong-signature":
      case "unknown-key": {
        const kid = fault === "unknown-key" ? "nobodys" : key.kid;
        return new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid }).sign(this.#strangersKey);
      }
      case "none":
      case "expired":
      case "no-expiry":
      case "not-yet-valid":
      case "wrong-audience":
      case "unknown-issuer":
        return new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid: key.kid }).sign(key.privateKey);
    }
  }

  #keyOf(issuer: string): IssuerKey {
    const key = this.#keys.get(issuer);
    if (key === undefined) throw new Error(`the oracle has no key of ${issuer}`);
    return key;
  }
}

interface IssuerKey {
  readonly kid: string;
  readonly jwk: JWK;
  readonly publicPem: string;
  readonly privateKey: CryptoKey;
}

async function newKey(kid: string): Promise<IssuerKey> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  return {
    kid,
    jwk: { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" },
    publicPem: await exportSPKI(publicKey),
    privateKey,
  };
}
