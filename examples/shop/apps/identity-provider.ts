/**
 * A stand-in for the company's identity provider. /jwks are its public keys; /token?sub=alice&role=customer mints a token
 * for whoever asks, also bad ones on purpose: &lifetime=-600 has expired, &alg=none is not signed.
 */
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { serve } from "./service.ts";

const ISSUER = "https://idp.shop.example";
const AUDIENCE = "shop";

const { privateKey, publicKey } = await generateKeyPair("ES256");
const key = { ...(await exportJWK(publicKey)), kid: "shop-1", alg: "ES256", use: "sig" };

serve("identity provider", async ({ path, query }) => {
  if (path === "/jwks") return { status: 200, body: { keys: [key] } };
  if (path !== "/token") return { status: 404, body: { error: "/jwks or /token" } };
  const claims = { role: query.get("role") ?? "customer" };
  const issuedAt = Math.floor(Date.now() / 1_000);
  const expiresAt = issuedAt + Number(query.get("lifetime") ?? 600);
  const fill = <Token extends SignJWT | UnsecuredJWT>(token: Token): Token => {
    token
      .setSubject(query.get("sub") ?? "alice")
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt);
    return token;
  };
  const token =
    query.get("alg") === "none"
      ? fill(new UnsecuredJWT(claims)).encode()
      : await fill(new SignJWT(claims)).setProtectedHeader({ alg: "ES256", kid: key.kid }).sign(privateKey);
  return { status: 200, body: { token } };
});
