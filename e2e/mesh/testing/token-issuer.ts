import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";

/** An issuer of JSON Web Tokens. */
export interface TokenIssuer {
  readonly issuer: string;
  /** Its key set, as JSON. */
  readonly jwks: string;
  /** A token, by default good for an hour, for the audience `shop`. */
  sign(subject: string, claims?: JWTPayload): Promise<string>;
}

export async function tokenIssuer(issuer: string): Promise<TokenIssuer> {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const key = { ...(await exportJWK(publicKey)), kid: "1", alg: "ES256", use: "sig" };
  return {
    issuer,
    jwks: JSON.stringify({ keys: [key] }),
    sign: (subject, claims = {}) => {
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({ iss: issuer, sub: subject, aud: "shop", iat: now, exp: now + 3_600, ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "1" })
        .sign(privateKey);
    },
  };
}
