import { generateKeyPairSync, type JsonWebKey, type KeyObject } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type EnvoyConfig, validateWithEnvoy } from "../../e2e/support/envoy-validation.ts";
import { parseJwks } from "./jwks.ts";

function publicJwk({ publicKey }: { publicKey: KeyObject }): JsonWebKey {
  return publicKey.export({ format: "jwk" });
}

const pairs = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  p384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  p521: generateKeyPairSync("ec", { namedCurve: "P-521" }),
  ed25519: generateKeyPairSync("ed25519"),
};
const usable: readonly JsonWebKey[] = [
  { ...publicJwk(pairs.rsa), kid: "rsa", alg: "RS256", use: "sig", x5t: "ignored" },
  { ...publicJwk(pairs.rsa), kid: "rsa-pss", alg: "PS512" },
  { ...publicJwk(pairs.rsa), kid: "rsa-any", key_ops: ["verify"] },
  { ...publicJwk(pairs.p256), kid: "p256", alg: "ES256" },
  { ...publicJwk(pairs.p256) },
  { ...publicJwk(pairs.p384), kid: "p384", alg: "ES384" },
  { ...publicJwk(pairs.p521), kid: "p521", alg: "ES512" },
  { ...publicJwk(pairs.ed25519), kid: "ed25519", alg: "EdDSA" },
  { ...publicJwk(pairs.ed25519), kid: "ed25519-rfc9864", alg: "Ed25519" },
];

function parse(...keys: readonly unknown[]): ReturnType<typeof parseJwks> {
  return parseJwks(JSON.stringify({ keys }));
}

function keysOf(parsed: ReturnType<typeof parseJwks>): JsonWebKey[] {
  if ("error" in parsed) throw new Error(parsed.error);
  return (JSON.parse(parsed.keys) as { keys: JsonWebKey[] }).keys;
}

describe("a JSON Web Key Set", () => {
  it("keeps every key that can verify a token, with its public members only", () => {
    const kept = keysOf(parse(...usable));
    expect(kept).toHaveLength(usable.length);
    for (const key of kept)
      expect(Object.keys(key).every((member) => ["kty", "kid", "alg", "crv", "n", "e", "x", "y"].includes(member))).toBe(true);
    expect(kept.find(({ kid }) => kid === "ed25519-rfc9864")).toMatchObject({ alg: "EdDSA" });
  });

  it("is the same string whatever the order of its keys and members and its whitespace, and however often a key stands in it", () => {
    const expected = parse(...usable);
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...usable], { minLength: usable.length }),
        fc.constantFrom(0, 1, 4),
        fc.nat(usable.length - 1),
        (keys, indent, again) => {
          const shuffled = [...keys, keys[again]!].map((key) => Object.fromEntries(Object.entries(key).reverse()));
          expect(parseJwks(JSON.stringify({ extra: 1, keys: shuffled }, undefined, indent))).toEqual(expected);
        },
      ),
    );
  });

  it("is another string when a key, its name or its algorithm is another", () => {
    const [key] = usable;
    const sets = [parse(key), parse({ ...key, kid: "other" }), parse({ ...key, alg: "RS512" }), parse(...usable.slice(0, 2))];
    expect(new Set(sets.map((parsed) => JSON.stringify(parsed))).size).toBe(4);
  });

  it("is never one that the pinned Envoy refuses: each kind of key alone is accepted", async () => {
    const sets = usable.map((key) => parse(key)).map((parsed) => ("keys" in parsed ? parsed.keys : ""));
    expect(await validateWithEnvoy(sets.map(jwtProvider))).toEqual(sets.map(() => ({ kind: "accepted" })));
  });

  it("would be refused by Envoy, and its listener with it, when no key of it could be used", async () => {
    const [verdict] = await validateWithEnvoy([jwtProvider(JSON.stringify({ keys: [{ ...usable[0], alg: "ES256" }] }))]);
    expect(verdict).toEqual({ kind: "rejected", words: expect.stringContaining("invalid local jwks") as unknown });
  });

  it.each<[string, string]>([
    ["nothing", ""],
    ["no JSON", "<html>"],
    ["null", "null"],
    ["a list", "[]"],
    ["a single key", JSON.stringify(usable[0])],
    ["keys that are no list", '{"keys":{}}'],
    ["no keys", '{"keys":[]}'],
    ["only null", '{"keys":[null]}'],
    [
      "more keys than any issuer has",
      JSON.stringify({ keys: Array.from({ length: 101 }, (_, kid) => ({ ...usable[0], kid: String(kid) })) }),
    ],
  ])("cannot be %s", (_, text) => {
    expect(parseJwks(text)).toEqual({ error: expect.any(String) as unknown });
  });

  const small = generateKeyPairSync("rsa", { modulusLength: 1024 });
  it.each<[string, unknown, RegExp]>([
    ["is symmetric", { kty: "oct", k: "c2VjcmV0", alg: "HS256" }, /symmetric/],
    ["is RSA of 1,024 bits", publicJwk(small), /1024 bits/],
    ["has the RSA exponent 1, with which everything is its own signature", { ...publicJwk(pairs.rsa), e: "AQ" }, /exponent/],
    ["is not on its curve", { ...publicJwk(pairs.p256), x: "AAAA" }, /not a valid key/],
    [
      "is on a curve that Envoy does not know",
      { kty: "EC", crv: "secp256k1", x: "AA", y: "AA" },
      /kind that cannot be used \(EC secp256k1\)/,
    ],
    ["is for key agreement only", { kty: "OKP", crv: "X25519", x: "AA" }, /kind that cannot be used/],
    ["has an algorithm of another kind of key", { ...publicJwk(pairs.rsa), alg: "ES256" }, /algorithm "ES256"/],
    ["has an algorithm of another curve", { ...publicJwk(pairs.p384), alg: "ES256" }, /algorithm "ES256"/],
    ["would be used symmetrically", { ...publicJwk(pairs.rsa), alg: "HS256" }, /algorithm "HS256"/],
    ["has a name that is a number", { ...publicJwk(pairs.rsa), kid: 1 }, /`kid`/],
    ["lacks its modulus", { kty: "RSA", e: "AQAB" }, /lacks a part/],
    ["is a string", "key", /not an object/],
    ["is of no kind", {}, /kind that cannot be used/],
  ])("leaves out a key that %s, and says so", (_, key, warning) => {
    expect(parse(key)).toEqual({ error: expect.stringMatching(warning) as unknown });
    const beside = parse(key, usable[0]);
    expect(keysOf(beside)).toHaveLength(1);
    expect("warnings" in beside && beside.warnings).toEqual([expect.stringMatching(warning)]);
  });

  it("leaves out without a word what is for encryption", () => {
    expect(parse({ ...usable[0], use: "enc" }, usable[3])).toMatchObject({ warnings: [] });
    expect(keysOf(parse({ ...usable[0], key_ops: ["encrypt"] }, usable[3]))).toHaveLength(1);
    expect(parse({ ...usable[0], use: "enc" })).toEqual({ error: expect.stringContaining("none of them is for verifying") as unknown });
  });

  it.each(["rsa", "p256", "ed25519"] as const)("refuses an %s key that is published with its private part, and its public twin", (kind) => {
    const secret = pairs[kind].privateKey.export({ format: "jwk" });
    const parsed = parse({ ...secret, kid: "leaked" }, { ...publicJwk(pairs[kind]), kid: "twin" }, usable[5]);
    expect(keysOf(parsed).map(({ kid }) => kid)).toEqual(["p384"]);
    expect("warnings" in parsed && parsed.warnings).toEqual([expect.stringContaining('key "leaked" is published with its private part')]);
    expect(JSON.stringify(parsed)).not.toContain(secret.d);
  });
});

function jwtProvider(keys: string): EnvoyConfig {
  const filter = {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
    providers: { issuer: { issuer: "x", local_jwks: { inline_string: keys } } },
  };
  return { httpFilters: [{ name: "jwt", typed_config: filter }] };
}
