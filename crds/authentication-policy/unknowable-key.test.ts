import { expect, it } from "@jest/globals";
import { createHash, createPublicKey } from "node:crypto";
import { parseJwks } from "../core/jwks.ts";
import { UNKNOWABLE_JWKS, unknowableKey } from "./unknowable-key.ts";

const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const number = (encoded: string): bigint => BigInt(`0x${Buffer.from(encoded, "base64url").toString("hex")}`);

it("is a point of P-256 whose abscissa is the hash of the label", () => {
  const { x, y } = unknowableKey("seawall.dev/unknowable-key/v1");
  const hashes = Array.from({ length: 20 }, (_, counter) =>
    createHash("sha256").update(`seawall.dev/unknowable-key/v1/${counter}`).digest("base64url"),
  );
  expect(hashes).toContain(x);
  expect((number(y) ** 2n - (number(x) ** 3n - 3n * number(x) + B)) % P).toBe(0n);
});

it("is a key that verifiers load", () => {
  expect(parseJwks(UNKNOWABLE_JWKS)).toEqual({ keys: UNKNOWABLE_JWKS, warnings: [] });
  const [jwk] = (JSON.parse(UNKNOWABLE_JWKS) as { keys: Record<string, string>[] }).keys;
  expect(createPublicKey({ key: jwk ?? {}, format: "jwk" }).asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
});
