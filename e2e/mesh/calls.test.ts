import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { headerOf } from "../support/http-client.ts";
import { PROXY_PORT } from "./testing/application.ts";
import { type Call, type CallAnswer, type LogEntry, type RunningMesh, startMesh } from "./testing/running-mesh.ts";
import { type TokenIssuer, tokenIssuer } from "./testing/token-issuer.ts";

type App = "web" | "orders" | "payments" | "batch";

const policies = (issuer: TokenIssuer): string => `
apiVersion: seawall.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { trustDomain: shop.example, access: { default: Deny } }
---
apiVersion: seawall.dev/v1alpha1
kind: MutualTLSPolicy
metadata: { name: orders, namespace: shop }
spec: { targetRefs: [{ kind: Service, name: orders }], mode: Strict }
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
      to: [{ methods: [GET], paths: [/orders, /public/**] }]
    - name: batch-imports
      from: [{ serviceAccounts: [batch] }]
      to: [{ methods: [POST], paths: [/import] }]
---
apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: orders-are-kept, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: orders }]
  action: Deny
  rules: [{ name: nobody-deletes, to: [{ methods: [DELETE] }] }]
---
apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: payments, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  action: Allow
  rules: [{ name: web-charges, from: [{ serviceAccounts: [web] }] }]
---
apiVersion: seawall.dev/v1alpha1
kind: AuthenticationPolicy
metadata: { name: customers, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  accept: [{ jwt: { issuer: "${issuer.issuer}", audiences: [shop], jwks: { inline: '${issuer.jwks}' } } }]
  except: [{ to: [{ paths: [/limited, /healthz] }] }]
---
apiVersion: seawall.dev/v1alpha1
kind: RateLimitPolicy
metadata: { name: payments, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  limits: [{ name: three-an-hour, to: [{ paths: [/limited] }], requests: 3, window: 1h }]
`;

let issuer: TokenIssuer;
let shop: RunningMesh<App>;

beforeAll(async () => {
  issuer = await tokenIssuer("https://idp.shop.example");
  shop = await startMesh({
    applications: { web: {}, orders: {}, payments: {}, batch: {} },
    files: { "policies.yaml": policies(issuer) },
  });
});

afterAll(() => shop.stop());

const WEB = "spiffe://shop.example/ns/shop/sa/web";

/** Calls, expects the status, and returns what the called side logged. */
async function refused(status: number, from: App, to: App, call: Call): Promise<LogEntry> {
  const before = shop.app(to).upstream.received.items.length;
  const answer = await shop.call(from, to, call);
  expect(answer.status).toBe(status);
  expect(shop.app(to).upstream.received.items).toHaveLength(before);
  return shop.logged(to, answer);
}

describe("an allowed call", () => {
  it("passes both sidecars over mutual TLS, and the log of each tells who called what, and what allowed it", async () => {
    const answer = await shop.call("web", "orders", { path: "/orders?page=2" });
    expect(answer.status).toBe(200);
    expect(await shop.logged("web", answer)).toMatchObject({
      ...{ direction: "outbound", workload: "shop/web", verdict: "allowed", route: "default/shop/orders/80", details: "via_upstream" },
      ...{ cluster: "outbound/shop/orders/80", upstream: `${shop.app("orders").address}:8080`, status: 200 },
    });
    expect(await shop.logged("orders", answer)).toMatchObject({
      ...{ direction: "inbound", workload: "shop/orders", peer: WEB, verdict: "allowed", policy: "accesspolicy/shop/orders/web-reads" },
      ...{ route: "application", details: "via_upstream", status: 200, method: "GET", protocol: "HTTP/2" },
    });
  });

  it("reaches the application with the caller's identity, and without what the caller says of it", async () => {
    const { body } = await shop.call("web", "orders", {
      path: "/orders",
      headers: [["x-forwarded-client-cert", "URI=spiffe://shop.example/ns/shop/sa/admin"]],
    });
    const { headers, path } = JSON.parse(body) as { headers: [string, string][]; path: string };
    const certificates = headers.filter(([name]) => name === "x-forwarded-client-cert").map(([, value]) => value);
    expect(certificates).toEqual([expect.stringMatching(`URI=${WEB}$`)]);
    expect(path).toBe("/orders");
  });

  it("may name the service in every form that Kubernetes knows, also as a proxy's absolute URL", async () => {
    for (const host of ["orders.shop", "orders.shop.svc", "orders.shop.svc.cluster.local", "orders:80", "ORDERS"]) {
      expect([host, (await shop.call("web", "orders", { host, path: "/orders" })).status]).toEqual([host, 200]);
    }
    expect((await shop.call("web", "orders", { path: "http://orders.shop/orders", host: "orders.shop" })).status).toBe(200);
  });
});

describe("a refusal names what refused", () => {
  it("where no rule allows the method", async () => {
    expect(await refused(403, "web", "orders", { method: "POST", path: "/orders" })).toMatchObject({
      ...{ peer: WEB, verdict: "denied", policy: "default-deny/shop/orders", route: "application" },
      details: "rbac_access_denied_matched_policy[default-deny/shop/orders]",
    });
  });

  it("where the rule allows another identity", async () => {
    expect(await refused(403, "batch", "orders", { path: "/orders" })).toMatchObject({
      ...{ peer: "spiffe://shop.example/ns/shop/sa/batch", verdict: "denied", policy: "default-deny/shop/orders" },
    });
    expect((await shop.call("batch", "orders", { method: "POST", path: "/import" })).status).toBe(200);
  });

  it("where the path climbs behind a path parameter, though all that a policy sees of it is allowed", async () => {
    const path = "/public/%2e%2e;x/admin";
    const answer = await shop.callInPlaintext("orders", { path });
    expect([answer.status, answer.body]).toEqual([400, "malformed path\n"]);
    expect(await shop.logged("orders", answer)).toMatchObject({ verdict: "denied", policy: "malformed-path" });
    // A caller's sidecar decodes it, and the called one then sees a dot segment.
    expect(await refused(403, "web", "orders", { path })).toMatchObject({ path: "/admin", policy: "default-deny/shop/orders" });
    expect((await shop.call("web", "orders", { path: "/public/a;x/b" })).status).toBe(200);
  });

  it("where a Deny matches", async () => {
    expect(await refused(403, "web", "orders", { method: "DELETE", path: "/orders" })).toMatchObject({
      ...{ verdict: "denied", policy: "accesspolicy/shop/orders-are-kept/nobody-deletes" },
    });
  });

  it("where the caller has no identity", async () => {
    const answer = await shop.callInPlaintext("orders", { path: "/orders" });
    expect(answer.status).toBe(403);
    const entry = await shop.logged("orders", answer);
    expect(entry).toMatchObject({ verdict: "denied", policy: "mutual-tls/shop/orders/strict" });
    expect(entry).not.toHaveProperty("peer");
  });

  it("where the called service is not visible: at the caller's own sidecar, and nobody else hears of it", async () => {
    const answer = await shop.call("batch", "payments", { path: "/" });
    expect(answer.status).toBe(403);
    expect(await shop.logged("batch", answer)).toMatchObject({
      ...{ direction: "outbound", verdict: "denied", policy: "not-visible/shop/batch", host: "payments" },
    });
    expect(shop.app("payments").sidecar.stdoutLines.items.some((line) => line.includes(answer.requestId))).toBe(false);
  });

  it("where a service does not exist, in the same words as one that is not visible", async () => {
    const unknown = await shop.call("batch", "payments", { host: "nonesuch", path: "/" });
    const hidden = await shop.call("batch", "payments", { path: "/" });
    expect([unknown.status, unknown.body]).toEqual([hidden.status, hidden.body]);
  });

  it("where a tunnel is asked of the outbound proxy", async () => {
    const proxy = { address: shop.app("batch").address, port: PROXY_PORT };
    const answer = await shop.request(proxy, { method: "CONNECT", path: "payments:80", host: "payments:80" });
    expect(answer.status).toBe(403);
    expect(await shop.logged("batch", answer)).toMatchObject({ policy: "not-visible/shop/batch" });
  });

  it("where the caller does not prove who it is: 401", async () => {
    const missing = await refused(401, "web", "payments", { method: "POST", path: "/charges" });
    expect(missing).toMatchObject({
      verdict: "denied",
      policy: "authenticationpolicy/shop/customers",
      details: expect.stringContaining("jwt_authn"),
    });
    const stale = await issuer.sign("eve", { exp: 1 });
    const expired = await refused(401, "web", "payments", { path: "/charges", headers: [["authorization", `Bearer ${stale}`]] });
    expect(expired).toMatchObject({
      verdict: "denied",
      policy: "authenticationpolicy/shop/customers",
      details: expect.stringMatching(/expired/i),
    });
    const good = await issuer.sign("eve");
    expect((await shop.call("web", "payments", { path: "/charges", headers: [["authorization", `Bearer ${good}`]] })).status).toBe(200);
  });

  it("where there were too many: 429, which tells when to come again", async () => {
    const limited = (): Promise<CallAnswer> => shop.call("web", "payments", { path: "/limited" });
    for (const remaining of ["2", "1", "0"]) {
      const answer = await limited();
      expect([answer.status, headerOf(answer, "x-ratelimit-remaining")]).toEqual([200, remaining]);
    }
    const answer = await limited();
    expect(answer.status).toBe(429);
    expect(headerOf(answer, "x-ratelimit-limit")).toMatch(/^3/);
    expect(headerOf(answer, "x-ratelimit-remaining")).toBe("0");
    const retryAfter = Number(headerOf(answer, "retry-after"));
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(3_600);
    expect(headerOf(answer, "x-ratelimit-reset")).toBe(String(retryAfter));
    expect(await shop.logged("payments", answer)).toMatchObject({
      ...{ peer: WEB, verdict: "limited", policy: "ratelimitpolicy/shop/payments/three-an-hour", status: 429 },
    });
  });
});
