import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type RunningMesh, startMesh } from "./testing/running-mesh.ts";

const MESH = `
apiVersion: seawall.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { trustDomain: shop.example, access: { default: Deny } }
`;

const allow = (app: string, ...callers: string[]): string => `
apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: ${app}, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: ${app} }]
  action: Allow
  rules: [{ name: callers, from: [{ serviceAccounts: [${callers.join(", ")}] }] }]
`;

const SPLIT = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: canary, namespace: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: v1, port: 80 }]
  rules:
    - name: canary
      backendRefs: [{ name: v1, port: 80, weight: 90 }, { name: v2, port: 80, weight: 10 }]
`;

let shop: RunningMesh<"web" | "v1" | "v2" | "payments">;

beforeAll(async () => {
  shop = await startMesh({
    applications: { web: {}, v1: {}, v2: {}, payments: {} },
    files: {
      "mesh.yaml": MESH,
      "v1.yaml": allow("v1", "web"),
      "v2.yaml": allow("v2", "web"),
      "payments.yaml": allow("payments", "v1"),
      "route.yaml": SPLIT,
    },
  });
});

afterAll(() => shop.stop());

/** The clusters of other services that an Envoy has, and whether anything else in its configuration mentions a service. */
async function clusters(name: "web" | "v1"): Promise<string[]> {
  const text = await shop.app(name).sidecar.admin("/clusters?format=json");
  const { cluster_statuses: found } = JSON.parse(text) as { cluster_statuses: { name: string }[] };
  return found
    .map((cluster) => cluster.name)
    .filter((cluster) => cluster.startsWith("outbound/"))
    .sort();
}

async function configuration(name: "web" | "v1"): Promise<string> {
  return shop.app(name).sidecar.admin("/config_dump?include_eds");
}

describe("a route that splits nine to one", () => {
  it("does so, counted over 500 calls", async () => {
    const calls = 500;
    for (let sent = 0; sent < calls; sent += 20) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => shop.call("web", "v1")));
      expect([...new Set(answers.map(({ status }) => status))]).toEqual([200]);
    }
    const [first, second] = [shop.app("v1").upstream.received.items.length, shop.app("v2").upstream.received.items.length];
    expect(first + second).toBe(calls);
    // Four standard deviations of 500 throws at one in ten are 27.
    expect(second).toBeGreaterThan(50 - 28);
    expect(second).toBeLessThan(50 + 28);
    const answer = await shop.call("web", "v1");
    expect(await shop.logged("web", answer)).toMatchObject({ route: expect.stringContaining("canary") });
  });
});

describe("what a sidecar knows", () => {
  it("is what some policy lets its workload call, and not a word of anything else", async () => {
    expect(await clusters("web")).toEqual(["outbound/shop/v1/80", "outbound/shop/v2/80"]);
    expect(await clusters("v1")).toEqual(["outbound/shop/payments/80"]);
    expect(await configuration("web")).not.toContain("payments");
    expect(await configuration("web")).not.toContain(shop.app("payments").address);
  });

  it("grows by what a policy opens, and shrinks when it closes", async () => {
    expect((await shop.call("web", "payments")).status).toBe(403);
    await shop.edit("payments.yaml", allow("payments", "v1", "web"));
    expect(await clusters("web")).toContain("outbound/shop/payments/80");
    expect((await shop.call("web", "payments")).status).toBe(200);
    await shop.edit("payments.yaml", allow("payments", "v1"));
    expect(await clusters("web")).not.toContain("outbound/shop/payments/80");
    expect(await configuration("web")).not.toContain("payments");
    expect((await shop.call("web", "payments")).status).toBe(403);
  });

  it("changes by one edit only where the edit matters", async () => {
    const bytes = async (pod: string): Promise<number> =>
      (await shop.sidecars()).find(({ subscriber }) => subscriber === pod)!.stream!.bytesSent;
    const before = { web: await bytes("shop/web"), v2: await bytes("shop/v2"), payments: await bytes("shop/payments") };
    await shop.edit("v2.yaml", allow("v2", "web").replace("name: callers", "name: renamed"));
    expect(await bytes("shop/v2")).toBeGreaterThan(before.v2);
    expect([await bytes("shop/web"), await bytes("shop/payments")]).toEqual([before.web, before.payments]);
  });

  it("includes an endpoint without a sidecar only while it is there", async () => {
    await shop.edit(
      "more.yaml",
      JSON.stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "v1-legacy", namespace: "shop", labels: { app: "v1" }, annotations: { "seawall.dev/inject": "false" } },
        spec: { containers: [{ name: "app", ports: [{ name: "http", containerPort: shop.app("v1").upstream.port }] }] },
        status: { podIP: "127.0.0.1" },
      }),
    );
    // The one endpoint speaks mutual TLS and HTTP/2, the other plaintext: both are reached.
    for (let calls = 0; calls < 20; calls++) expect((await shop.call("web", "v1")).status).toBe(200);
    shop.remove("more.yaml");
    await shop.edit("mesh.yaml", MESH);
  });
});
