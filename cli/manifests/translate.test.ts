import { describe, expect, it } from "@jest/globals";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { expectEnvoyAccepts } from "../../e2e/support/envoy-validation.ts";
import { seawall } from "../testing/seawall-in-process.ts";

const SHOP = join(import.meta.dirname, "..", "..", "examples", "shop", "manifests");

interface Translated {
  readonly of: string;
  readonly resource: { readonly "@type": string; readonly name: string } & Record<string, unknown>;
}

function untyped(resource: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(resource).filter(([field]) => field !== "@type"));
}

describe("seawall translate", () => {
  it("turns the shop's policies into routes that Envoy accepts", async () => {
    const { code, output, messages } = await seawall(["translate", "-f", SHOP, "-o", "json"]);
    expect(code).toBe(0);
    expect(messages).toContain("stand-in: the keys of http://127.0.0.1:18090/jwks");
    const translated = JSON.parse(output) as Translated[];
    expect([...new Set(translated.map(({ of }) => of))]).toEqual(["shop/orders", "shop/payments", "shop/web", "callers of shop/orders/80"]);
    const routes = translated.filter(({ resource }) => resource["@type"].endsWith(".RouteConfiguration"));
    expect(routes.length).toBeGreaterThan(3);
    await expectEnvoyAccepts(
      new Map(routes.map(({ of, resource }, index) => [`${of} ${index}`, { routeConfigurations: [untyped(resource)] }])),
    );
    for (const rule of ["accesspolicy/shop/orders/web-reads", "mutual-tls/shop/shop/strict", "ratelimitpolicy/shop/web/per-customer"]) {
      expect(output).toContain(rule);
    }
  });

  it("assumes what a policy alone lacks, and says so", async () => {
    const { code, output, messages } = await seawall(["translate", "-f", join(SHOP, "limits.yaml")]);
    expect([code, messages]).toEqual([0, "assumed: Service shop/web with one pod, on port 80\n"]);
    expect(output).toMatch(
      /^# shop\/web\n"@type": type\.googleapis\.com\/envoy\.config\.route\.v3\.RouteConfiguration\nname: inbound\/8080\n/,
    );
    expect(output).not.toContain("malformed-");
    expect(parseAllDocuments(output, { version: "1.1" })).toHaveLength(1);
  });

  it("shows everything of one workload with --all", async () => {
    const { output } = await seawall(["translate", "-f", SHOP, "--workload", "shop/web", "--all", "-o", "json"]);
    const types = (JSON.parse(output) as Translated[]).map(({ resource }) => resource["@type"].split(".").at(-1));
    expect([...new Set(types)].toSorted()).toEqual([
      "Cluster",
      "ClusterLoadAssignment",
      "Listener",
      "RouteConfiguration",
      "TypedExtensionConfig",
    ]);
  });

  it("refuses input that does not hold, and a workload that is not there", async () => {
    const broken = await seawall(["translate", "-f", "-"], { input: "kind: Pood\n" });
    expect([broken.code, broken.output]).toEqual([2, ""]);
    expect(broken.messages).toContain("seawall validate -f - says where");
    const nobody = await seawall(["translate", "-f", SHOP, "--workload", "shop/nobody"]);
    expect([nobody.code, nobody.messages]).toEqual([2, expect.stringContaining("there are shop/orders, shop/payments, shop/web")]);
  });
});
