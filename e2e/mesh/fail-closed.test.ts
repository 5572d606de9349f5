import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type CallAnswer, type LogEntry, type RunningMesh, startMesh } from "./testing/running-mesh.ts";

const MESH = `
apiVersion: seawall.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { trustDomain: shop.example, access: { default: Deny } }
`;

const allow = (app: string, from = "serviceAccounts: [web]"): string => `
apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: ${app}, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: ${app} }]
  action: Allow
  rules: [{ name: web, from: [{ ${from} }] }]
`;

const policy = (kind: string, name: string, spec: string): string =>
  `apiVersion: seawall.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}\n`;

const NOTHING = "# nothing";

let shop: RunningMesh<"web" | "orders" | "payments">;

beforeAll(async () => {
  shop = await startMesh({
    applications: { web: {}, orders: {}, payments: {} },
    files: { "mesh.yaml": MESH, "orders.yaml": allow("orders"), "payments.yaml": allow("payments"), "more.yaml": NOTHING },
  });
});

afterAll(() => shop.stop());

const orders = (): Promise<CallAnswer> => shop.call("web", "orders");
const payments = (): Promise<CallAnswer> => shop.call("web", "payments");

/** What refused a call to orders. */
async function refusal(): Promise<LogEntry> {
  const answer = await orders();
  expect(answer.status).toBe(403);
  const entry = await shop.logged("orders", answer);
  return { verdict: entry["verdict"], policy: entry["policy"] };
}

async function bothAllowed(): Promise<void> {
  expect([(await orders()).status, (await payments()).status]).toEqual([200, 200]);
}

describe("a policy that an edit breaks", () => {
  it("makes its target refuse by its name, nobody else, until it is mended", async () => {
    await bothAllowed();
    await shop.edit("orders.yaml", allow("orders", "serviceAcounts: [web]"));
    expect(await refusal()).toEqual({ verdict: "denied", policy: "accesspolicy/shop/orders/invalid" });
    expect((await payments()).status).toBe(200);
    const status = await shop.policy("AccessPolicy", "orders");
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: "Accepted", status: "False", reason: "Invalid" }));
    const message = "1 of 1 sidecars refuse because of it";
    expect(status?.conditions).toContainEqual({ type: "Programmed", status: "False", reason: "Invalid", message });
    await shop.edit("orders.yaml", allow("orders"));
    await bothAllowed();
  });

  it.each([
    ["AuthenticationPolicy", "accept: [{ jwt: { issuer: 5 } }]"],
    ["RateLimitPolicy", "limits: [{ name: few, requests: 0, window: 1m }]"],
    ["MutualTLSPolicy", "mode: Strictly"],
    ["AccessPolicy", "action: Deny"],
  ])("refuses by its name, of the kind %s too", async (kind, mistake) => {
    await shop.edit("more.yaml", policy(kind, "broken", `{ targetRefs: [{ kind: Service, name: orders }], ${mistake} }`));
    expect(await refusal()).toEqual({ verdict: "denied", policy: `${kind.toLowerCase()}/shop/broken/invalid` });
    expect((await payments()).status).toBe(200);
    await shop.edit("more.yaml", NOTHING);
    await bothAllowed();
  });

  it("refuses in its whole namespace when nobody can tell what its target was meant to be", async () => {
    await shop.edit("more.yaml", policy("AccessPolicy", "astray", "{ targetRefs: orders, action: Deny, rules: [{ name: all }] }"));
    expect(await refusal()).toEqual({ verdict: "denied", policy: "accesspolicy/shop/astray/invalid" });
    expect((await payments()).status).toBe(403);
    await shop.edit("more.yaml", NOTHING);
    await bothAllowed();
  });

  it("refuses when its file is no YAML at all, and the problem is told with its line", async () => {
    shop.write("orders.yaml", allow("orders").replace("spec:", "spec: [\n"));
    await shop.becomes(403, orders);
    expect(await refusal()).toEqual({ verdict: "denied", policy: "accesspolicy/shop/orders/invalid" });
    expect((await payments()).status).toBe(200);
    const problems = JSON.parse(await shop.admin("/debug/problems")) as { file: string; line: number; severity: string }[];
    expect(problems).toContainEqual(
      expect.objectContaining({ file: expect.stringContaining("orders.yaml"), severity: "error", line: expect.any(Number) }),
    );
    await shop.edit("orders.yaml", allow("orders"));
    await bothAllowed();
  });

  it("refuses when its file has become larger than any that is read, and recovers", async () => {
    shop.write("orders.yaml", `${allow("orders")}\n# ${"x".repeat(5 * 1024 * 1024)}`);
    await shop.becomes(403, orders);
    expect((await payments()).status).toBe(200);
    expect(await shop.admin("/debug/problems")).toMatch(/MiB|bytes|large/);
    await shop.edit("orders.yaml", allow("orders"));
    await bothAllowed();
  });
});

describe("a MeshConfig that an edit breaks", () => {
  it("closes what it would open, and keeps what is allowed by name", async () => {
    await shop.edit("mesh.yaml", MESH.replace("default: Deny", "default: Allow"));
    await shop.edit("orders.yaml", NOTHING);
    await bothAllowed();
    await shop.edit("mesh.yaml", MESH.replace("default: Deny", "default: Alow"));
    expect((await orders()).status).toBe(403);
    expect((await payments()).status).toBe(200);
    await shop.edit("mesh.yaml", MESH);
    await shop.edit("orders.yaml", allow("orders"));
    await bothAllowed();
  });

  it("keeps the trust domain: nobody loses the identity", async () => {
    await shop.edit("mesh.yaml", MESH.replace("trustDomain: shop.example", "trustDomain: Not A Domain"));
    await bothAllowed();
    await shop.edit("mesh.yaml", MESH);
  });
});

describe("an Allow policy that goes", () => {
  it("leaves its target closed, and invisible to whom it had let in", async () => {
    shop.remove("orders.yaml");
    // Either sidecar may be the first to know.
    await shop.becomes(403, orders);
    await shop.synced();
    expect(await shop.logged("web", await orders())).toMatchObject({ status: 403, policy: "not-visible/shop/web" });
    // Also to one who goes around the own sidecar.
    expect((await shop.callInPlaintext("orders")).status).toBe(403);
    await shop.edit("orders.yaml", allow("orders"));
    await bothAllowed();
  });
});

describe("the status of a policy", () => {
  it("says that a target does not exist", async () => {
    await shop.edit("more.yaml", policy("MutualTLSPolicy", "lost", "{ targetRefs: [{ kind: Service, name: nonesuch }], mode: Strict }"));
    const status = await shop.policy("MutualTLSPolicy", "lost");
    expect(status?.conditions).toContainEqual({
      ...{ type: "ResolvedRefs", status: "False", reason: "TargetNotFound" },
      message: "not found: Service shop/nonesuch",
    });
    await bothAllowed();
  });

  it("says which of two policies in conflict acts: the first by name, where none is older", async () => {
    const spec = (mode: string): string => `{ targetRefs: [{ kind: Service, name: orders }], mode: ${mode} }`;
    await shop.edit(
      "more.yaml",
      `${policy("MutualTLSPolicy", "one", spec("Strict"))}---\n${policy("MutualTLSPolicy", "two", spec("Permissive"))}`,
    );
    const [one, two] = [await shop.policy("MutualTLSPolicy", "one"), await shop.policy("MutualTLSPolicy", "two")];
    expect(one?.conditions).toContainEqual(expect.objectContaining({ type: "Accepted", status: "True" }));
    expect(two?.conditions).toContainEqual(
      expect.objectContaining({ type: "Accepted", status: "False", reason: "Conflicted", message: expect.stringContaining("one") }),
    );
    const stranger = await shop.callInPlaintext("orders");
    expect(await shop.logged("orders", stranger)).toMatchObject({ policy: "mutual-tls/shop/one/strict" });
    await shop.edit("more.yaml", NOTHING);
  });
});

describe("a route", () => {
  const route = (backend: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: orders, namespace: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: orders, port: 80 }]
  rules: [{ backendRefs: [{ name: ${backend}, port: 80 }] }]
`;

  it("that leads to a service that does not exist answers 500, and nothing else suffers", async () => {
    await shop.edit("more.yaml", route("nonesuch"));
    expect((await orders()).status).toBe(500);
    expect((await payments()).status).toBe(200);
    await shop.edit("more.yaml", NOTHING);
    await bothAllowed();
  });

  it("that leads back to its own service is an ordinary call", async () => {
    await shop.edit("more.yaml", route("orders"));
    await bothAllowed();
    await shop.edit("more.yaml", NOTHING);
  });
});
