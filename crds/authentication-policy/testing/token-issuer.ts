import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from "node:crypto";

export interface TokenIssuer {
  readonly name: string;
  /** Its JSON Web Key Set. */
  readonly jwks: string;
  /** A token that is valid for an hour, unless the claims say otherwise; a claim that is undefined is left out. */
  token(claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): string;
  /** HS256 with the public key as the secret: what a verifier that trusts `alg` accepts. */
  tokenSignedWithPublicKey(claims?: Readonly<Record<string, unknown>>): string;
}

const encode = (value: unknown): string => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

/** An issuer with one P-256 key, which is called `kid`. */
export function tokenIssuer(name: string, kid = name): TokenIssuer {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk: JsonWebKey = { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
  const claimsOf = (claims: Readonly<Record<string, unknown>>): object => ({ iss: name, sub: "alice", exp: inSeconds(3600), ...claims });
  return {
    name,
    jwks: JSON.stringify({ keys: [jwk] }),
    token: (claims = {}, header = {}) => {
      const signed = `${encode({ alg: "ES256", kid, typ: "JWT", ...header })}.${encode(claimsOf(claims))}`;
      return `${signed}.${es256(signed, privateKey)}`;
    },
    tokenSignedWithPublicKey: (claims = {}) => {
      const pem = createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
      const signed = `${encode({ alg: "HS256", kid })}.${encode(claimsOf(claims))}`;
      return `${signed}.${createHmac("sha256", pem).update(signed).digest("base64url")}`;
    },
  };
}

/** `alg: none`, with nothing for a signature or with something. */
export function unsignedToken(issuer: TokenIssuer, signature = "", claims: Readonly<Record<string, unknown>> = {}): string {
  const payload = { iss: issuer.name, sub: "alice", exp: inSeconds(3600), ...claims };
  return `${encode({ alg: "none" })}.${encode(payload)}.${signature}`;
}

function es256(text: string, key: KeyObject): string {
  return sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
}
