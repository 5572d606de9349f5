import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type RunningMesh, startMesh } from "./testing/running-mesh.ts";
import { Traffic } from "./testing/traffic.ts";

const MESH = `
apiVersion: seawall.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { trustDomain: shop.example, access: { default: Deny } }
`;

const access = (method: string): string => `
apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: orders, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: orders }]
  action: Allow
  rules: [{ name: web, from: [{ serviceAccounts: [web] }], to: [{ methods: [${method}] }] }]
`;

let shop: RunningMesh<"web" | "orders" | "idle">;

beforeAll(async () => {
  shop = await startMesh({
    applications: { web: {}, orders: { tcp: { greeting: "hello\n" } }, idle: {} },
    files: { "mesh.yaml": MESH, "access.yaml": access("GET") },
    controlPlane: "child-process",
  });
});

afterAll(() => shop.stop());

/** Resources sent since the control plane started, and certificates issued. */
async function pushed(): Promise<{ readonly resources: number; readonly certificates: number }> {
  return {
    resources: await shop.metric("seawall_xds_pushed_resources_total"),
    certificates: await shop.metric("seawall_certificates_issued"),
  };
}

async function serials(): Promise<readonly (string | undefined)[]> {
  return (await shop.sidecars()).map(({ certificate }) => certificate?.serial);
}

describe("a control plane that is killed under traffic", () => {
  it("is not missed by what was allowed, and comes back without pushing anything", async () => {
    // The count that the next one is held against: a first start does push, and does issue.
    expect(await pushed()).toMatchObject({ certificates: 3 });
    expect((await pushed()).resources).toBeGreaterThan(20);
    const known = await serials();

    using stream = await shop.stream("web", "orders");
    using traffic = new Traffic(() => shop.call("web", "orders"));
    using unwanted = new Traffic(() => shop.call("web", "orders", { method: "POST" }));
    await traffic.goesOn(20);
    await shop.killControlPlane();
    await expect(shop.admin("/healthz")).rejects.toThrow();
    await traffic.goesOn(200);
    await unwanted.goesOn(20);
    await stream.flows();

    await shop.startControlPlane();
    await shop.synced();
    await traffic.goesOn(20);
    expect(await pushed()).toEqual({ resources: 0, certificates: 0 });
    expect(await serials()).toEqual(known);
    await stream.flows();
    expect([...new Set(await traffic.stop())]).toEqual([200]);
    expect([...new Set(await unwanted.stop())]).toEqual([403]);

    await shop.edit("access.yaml", access("POST"));
    expect((await shop.call("web", "orders")).status).toBe(403);
    expect((await shop.call("web", "orders", { method: "POST" })).status).toBe(200);
  });

  it("brings, when it comes back, what was edited meanwhile and nothing else", async () => {
    await shop.killControlPlane();
    shop.write("access.yaml", access("PUT"));
    expect((await shop.call("web", "orders", { method: "POST" })).status).toBe(200);
    await shop.startControlPlane();
    await shop.synced();
    expect((await shop.call("web", "orders", { method: "POST" })).status).toBe(403);
    expect((await shop.call("web", "orders", { method: "PUT" })).status).toBe(200);
    const types = (await shop.admin("/metrics")).match(/^seawall_xds_pushed_resources_total\{.*\} [1-9]\d*$/gm);
    // The routes of both ports, and the extensions of the TCP port.
    expect(types?.every((line) => /type="(RouteConfiguration|TypedExtensionConfig)"/.test(line))).toBe(true);
    expect((await pushed()).resources).toBeLessThanOrEqual(3);
    expect((await pushed()).certificates).toBe(0);
  });
});
