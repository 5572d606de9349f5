import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seawall } from "../testing/seawall-in-process.ts";

const SHOP = join(import.meta.dirname, "..", "..", "examples", "shop", "manifests");

describe("seawall explain, asked of manifests", () => {
  let folder: string;
  let claims: string;
  let token: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "seawall-explain-"));
    claims = join(folder, "claims.json");
    token = join(folder, "token");
    const content = JSON.stringify({ iss: "https://idp.shop.example", sub: "alice", role: "customer" });
    await writeFile(claims, content);
    await writeFile(token, `e30.${Buffer.from(content).toString("base64url")}.x`);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([
    [
      "a rule allows it",
      ["--from", "shop/web", "--to", "orders.shop", "GET", "/orders"],
      0,
      "ALLOWED by accesspolicy/shop/orders/web-reads",
    ],
    [
      "no rule allows it",
      ["--from", "shop/web", "--to", "orders.shop", "POST", "/orders"],
      1,
      "accesspolicy/shop/orders/web-reads would allow it, but\n      the method is POST, not GET",
    ],
    [
      "a Deny rule refuses it",
      ["--from", "shop/web", "--to", "orders.shop", "DELETE", "/orders/1"],
      1,
      "accesspolicy/shop/orders-are-kept/nobody-deletes must not match",
    ],
    ["the caller's sidecar refuses it", ["--from", "shop/web", "--to", "payments.shop", "POST", "/charges"], 1, "not-visible/shop/web"],
    ["the caller has no identity", ["--to", "orders.shop", "GET", "/orders"], 1, "mutual-tls/shop/shop/strict"],
    ["the caller has no token", ["--to", "web.shop", "GET", "/orders"], 1, "REFUSED with 401 by authenticationpolicy/shop/web"],
    ["the path is hostile", ["--from", "shop/web", "--to", "orders.shop", "GET", "/a%2fb"], 1, "REFUSED with 400"],
    ["the port speaks TCP", ["--from", "shop/orders", "--to", "payments.shop:9000", "GET"], 0, "orders-read-the-ledger"],
  ])("says what decides when %s", async (_, args, code, words) => {
    const result = await seawall(["explain", "-f", SHOP, ...args]);
    expect([result.code, result.output]).toEqual([code, expect.stringContaining(words)]);
  });

  it("takes claims from a file, and those of a token as verified", async () => {
    const withClaims = await seawall(["explain", "-f", SHOP, "--to", "web.shop", "--jwt", claims, "-H", "x-a: b", "GET", "/orders"]);
    expect([withClaims.code, withClaims.output]).toEqual([0, expect.stringContaining("accesspolicy/shop/web/customers-read")]);
    expect(withClaims.output).toContain("ratelimitpolicy/shop/web/per-customer: beyond one of them it is refused");
    const withToken = await seawall(["explain", "-f", SHOP, "--to", "web.shop", "--token", token, "-o", "json", "GET", "/orders"]);
    expect([withToken.code, withToken.messages]).toEqual([0, expect.stringContaining("the token counts as verified")]);
    expect(JSON.parse(withToken.output)).toMatchObject({ verdict: "allowed", policy: "accesspolicy/shop/web/customers-read" });
    expect(withToken.output).not.toContain("e30.");
  });

  it.each([
    ["a service without namespace", ["--to", "orders", "GET"], "write <service>.<namespace>"],
    ["a caller without namespace", ["--from", "web", "--to", "orders.shop", "GET"], "write <namespace>/<service account>"],
    ["a service that is not there", ["--to", "ordres.shop", "GET"], "there is no Service shop/ordres"],
    ["a port that is not there", ["--to", "orders.shop:81", "GET"], "has no port 81"],
    ["a header that is none", ["--to", "orders.shop", "-H", "x", "GET"], "write 'name: value'"],
    ["claims that are no JSON", ["--to", "orders.shop", "--jwt", join(SHOP, "access.yaml"), "GET"], "is not JSON"],
  ])("answers %s with 2", async (_, args, words) => {
    const { code, output, messages } = await seawall(["explain", "-f", SHOP, ...args]);
    expect([code, output, messages]).toEqual([2, "", expect.stringContaining(words)]);
  });

  it("says how to get a control plane when none answers", async () => {
    const { code, messages } = await seawall(["explain", "--admin", "127.0.0.1:1", "--to", "orders.shop", "GET"]);
    expect([code, messages]).toEqual([1, expect.stringContaining("Is `seawall serve` running?")]);
  });
});
