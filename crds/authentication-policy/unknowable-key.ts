import { createHash, ECDH } from "node:crypto";

/**
 * A public key that nobody has the private key of: the point on P-256 that a public label hashes to, by trying one
 * counter after the other until the digest is an abscissa. Whoever doubts it computes it again. What is signed for it
 * cannot exist, so it stands where a set of keys is required and none is to be trusted: an issuer whose keys could not
 * be fetched, and a proof that no caller may have.
 */
export function unknowableKey(label: string): { readonly x: string; readonly y: string } {
  for (let counter = 0; ; counter++) {
    const abscissa = createHash("sha256").update(`${label}/${counter}`).digest();
    const point = pointAt(abscissa);
    if (point !== undefined) return { x: point.subarray(1, 33).toString("base64url"), y: point.subarray(33).toString("base64url") };
  }
}

/** The uncompressed point with this abscissa and an even ordinate, or undefined when the curve has none there. */
function pointAt(abscissa: Buffer): Buffer | undefined {
  try {
    return ECDH.convertKey(Buffer.concat([Buffer.of(2), abscissa]), "prime256v1", undefined, undefined, "uncompressed") as Buffer;
  } catch {
    return undefined;
  }
}

/** As a JSON Web Key Set: nothing verifies against it. */
export const UNKNOWABLE_JWKS = JSON.stringify({
  keys: [{ crv: "P-256", kty: "EC", ...unknowableKey("seawall.dev/unknowable-key/v1") }],
});
