import { createPublicKey, type JsonWebKeyInput } from "node:crypto";

/** More keys than any issuer rotates through; every one of them costs each sidecar memory. */
const MOST_KEYS = 100;

/** BoringSSL, and so Envoy, loads no RSA key outside of these bounds; below 2,048 bits a key is not safe (RFC 7518 section 3.3). */
const RSA_BITS = { least: 2048, most: 8192 };
const LARGEST_RSA_EXPONENT = 2n ** 33n;

const RSA_ALGORITHMS: ReadonlySet<string> = new Set(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
const CURVE_ALGORITHM: ReadonlyMap<string, string> = new Map([
  ["P-256", "ES256"],
  ["P-384", "ES384"],
  ["P-521", "ES512"],
]);

/**
 * The keys of a JSON Web Key Set that can verify a token, or why there are none.
 *
 * `keys` is a canonical JWK Set (RFC 7517): only public members, members and keys sorted, no key twice. Equal sets are
 * equal strings, whatever their order and whitespace was. `warnings` say which keys were left out, one sentence each.
 */
export type ParsedJwks = { readonly keys: string; readonly warnings: readonly string[] } | { readonly error: string };

type Judged =
  | { readonly kind: "usable"; readonly key: Readonly<Record<string, string>> }
  /** For something other than verifying signatures: legal, and of no interest. */
  | { readonly kind: "unrelated" }
  | { readonly kind: "refused"; readonly why: string; readonly compromised?: string };

/**
 * Reads a JSON Web Key Set (RFC 7517 section 5) and keeps its public signature keys: RSA of 2,048 to 8,192 bits, EC on
 * P-256, P-384 or P-521, and Ed25519 (RFC 8037). Symmetric keys are left out. A key that is published with its private
 * part is refused, and so is its public twin in the same set: whoever can read the set could sign with it.
 */
export function parseJwks(text: string): ParsedJwks {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    return { error: 'is not JSON: a JSON Web Key Set looks like {"keys": [...]}' };
  }
  const listed = isObject(set) ? set["keys"] : undefined;
  if (!Array.isArray(listed)) return { error: "is not a JSON Web Key Set: it has no list `keys`" };
  if (listed.length === 0) return { error: "has no keys" };
  if (listed.length > MOST_KEYS) return { error: `has ${listed.length} keys, more than the ${MOST_KEYS} that a sidecar is given` };

  const usable = new Map<string, string>();
  const compromised = new Set<string>();
  const warnings: string[] = [];
  listed.forEach((jwk: unknown, index) => {
    const judged = judge(jwk);
    switch (judged.kind) {
      case "usable":
        usable.set(canonical(judged.key), materialOf(judged.key));
        break;
      case "unrelated":
        break;
      case "refused":
        if (judged.compromised !== undefined) compromised.add(judged.compromised);
        warnings.push(`${nameOf(jwk, index)} ${judged.why}`);
        break;
    }
  });
  const kept = [...usable].filter(([, material]) => !compromised.has(material)).map(([key]) => key);
  if (kept.length > 0) return { keys: `{"keys":[${kept.sort().join(",")}]}`, warnings };
  const details = warnings.length === 0 ? "none of them is for verifying signatures" : warnings.slice(0, 3).join("; ");
  return { error: `has no usable public signature key: ${details}` };
}

function judge(jwk: unknown): Judged {
  if (!isObject(jwk)) return refused("is not an object");
  const { kty, use, kid, alg } = jwk;
  if (kty === "oct") return refused("is symmetric: a secret cannot be in a public key set");
  for (const [member, value] of Object.entries({ kty, use, kid, alg })) {
    if (value !== undefined && typeof value !== "string") return refused(`has a \`${member}\` that is not a string`);
  }
  if ("d" in jwk) return privateKey(jwk);
  if (use !== undefined && use !== "sig") return { kind: "unrelated" };
  const operations = jwk["key_ops"];
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) return { kind: "unrelated" };
  return withMaterial(jwk, (material) => named(material, kid as string | undefined, alg as string | undefined));
}

/** Rejects what has a sound key but an algorithm that the key cannot serve: Envoy passes over such a key, and refuses a set that has no other. */
function named(material: PublicMaterial, kid: string | undefined, alg: string | undefined): Judged {
  const allowed = algorithmsOf(material);
  if (alg !== undefined && !allowed.has(alg)) return refused(`has the algorithm ${JSON.stringify(alg)}, which its key cannot serve`);
  // RFC 9864 calls it Ed25519; Envoy knows the older name only, and both mean the same signature.
  const algorithm = alg === "Ed25519" ? "EdDSA" : alg;
  return {
    kind: "usable",
    key: { ...material, ...(kid === undefined ? {} : { kid }), ...(algorithm === undefined ? {} : { alg: algorithm }) },
  };
}

function algorithmsOf(material: PublicMaterial): ReadonlySet<string> {
  switch (material.kty) {
    case "RSA":
      return RSA_ALGORITHMS;
    case "EC":
      return new Set([CURVE_ALGORITHM.get(material.crv) ?? ""]);
    case "OKP":
      return new Set(["EdDSA", "Ed25519"]);
  }
}

function privateKey(jwk: Readonly<Record<string, unknown>>): Judged {
  const why = "is published with its private part, so anybody could sign with it: replace it";
  return withMaterial(
    jwk,
    (material) => ({ kind: "refused", why, compromised: materialOf(material) }),
    () => refused(why),
  );
}

type PublicMaterial =
  | { readonly kty: "RSA"; readonly n: string; readonly e: string }
  | { readonly kty: "EC"; readonly crv: string; readonly x: string; readonly y: string }
  | { readonly kty: "OKP"; readonly crv: "Ed25519"; readonly x: string };

/** Goes through node:crypto, which checks that a point is on its curve, and writes each number in its one canonical form. */
function withMaterial(
  { kty, crv, x, y, n, e }: Readonly<Record<string, unknown>>,
  use: (material: PublicMaterial) => Judged,
  otherwise: (why: string) => Judged = refused,
): Judged {
  if (kty === "EC" ? !CURVE_ALGORITHM.has(String(crv)) : kty === "OKP" ? crv !== "Ed25519" : kty !== "RSA") {
    return otherwise(`is of a kind that cannot be used (${[kty, crv].filter((word) => typeof word === "string").join(" ")})`);
  }
  const given = kty === "RSA" ? { kty, n, e } : kty === "EC" ? { kty, crv, x, y } : { kty, crv, x };
  if (Object.values(given).some((value) => typeof value !== "string")) return otherwise("lacks a part of its key");
  try {
    const key = createPublicKey({ key: given as JsonWebKeyInput["key"], format: "jwk" });
    const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
    if (kty === "RSA") {
      if (modulusLength < RSA_BITS.least || modulusLength > RSA_BITS.most) {
        return otherwise(`has ${modulusLength} bits: an RSA key must have ${RSA_BITS.least} to ${RSA_BITS.most}`);
      }
      if (publicExponent < 3n || publicExponent % 2n === 0n || publicExponent > LARGEST_RSA_EXPONENT) {
        return otherwise("has an unsafe RSA exponent");
      }
    }
    return use(key.export({ format: "jwk" }) as unknown as PublicMaterial);
  } catch {
    return otherwise("is not a valid key");
  }
}

function refused(why: string): Judged {
  return { kind: "refused", why };
}

function nameOf(jwk: unknown, index: number): string {
  const kid = isObject(jwk) ? jwk["kid"] : undefined;
  return typeof kid === "string" ? `key ${JSON.stringify(kid.slice(0, 100))}` : `key number ${index + 1}`;
}

/** The key itself, without its name and algorithm. */
function materialOf(key: Readonly<Record<string, string>>): string {
  return [key["kty"], key["crv"], key["n"], key["e"], key["x"], key["y"]].join(" ");
}

function canonical(key: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(key).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
