import { beforeAll, describe, expect, it } from "@jest/globals";
import { type RunningMesh, startMesh } from "./testing/running-mesh.ts";

type App = "web" | "orders" | "batch";

const POLICIES = `
apiVersion: seawall.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { trustDomain: shop.example, access: { default: Deny } }
---
apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: orders, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: orders }]
  action: Allow
  rules:
    - name: web-reads
      from: [{ serviceAccounts: [web] }]
      to: [{ methods: [GET], paths: [/orders] }]
`;

let mesh: RunningMesh<App>;

beforeAll(async () => {
  mesh = await startMesh({ applications: { web: {}, orders: {}, batch: {} }, files: { "policies.yaml": POLICIES } });
});

describe("a call from web to orders", () => {
  it("passes both sidecars over mutual TLS, and both logs tell about it", async () => {
    const answer = await mesh.call("web", "orders", { path: "/orders" });
    expect(answer.status).toBe(200);
    console.log(answer, await mesh.logged("web", answer), await mesh.logged("orders", answer));
  });
});
