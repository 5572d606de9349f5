import { beforeAll, describe, expect, it } from "@jest/globals";
import type { KubernetesObject } from "../../crds/core/object.ts";
import { clusterPolicy, policy } from "../../controller/mesh/testing/objects.ts";
import { APPLICATION } from "./pod-request.ts";
import { endpointSlices, type ServicePlan, serviceObject } from "./cluster-objects.ts";
import { farewellPath } from "../../xds-server/envoy/kubernetes-bootstrap.ts";
import { SIDECAR_PORTS } from "../../xds-server/envoy/sidecar-ports.ts";
import type { HttpAnswer } from "../support/http-client.ts";
import { eventually, until } from "../support/eventually.ts";
import { FAREWELL_KEY, RedirectedMesh } from "./redirected-mesh.ts";

const ORDERS = { ipv4: "198.19.0.10", ipv6: "fd00:198:19::10" } as const;
const PAYMENTS = "198.19.0.11";
/** Nobody is there. */
const ELSEWHERE = "203.0.113.7";

const SERVICES: Readonly<Record<string, ServicePlan>> = {
  orders: {
    app: "orders",
    addresses: [ORDERS.ipv4, ORDERS.ipv6],
    ports: [
      { name: "http", port: 80, targetPort: APPLICATION.http },
      { name: "tcp-talk", port: 9000, targetPort: APPLICATION.tcp },
      { name: "web", port: 7000, targetPort: APPLICATION.detectedHttp },
      { name: "talk", port: 7100, targetPort: APPLICATION.detectedTcp },
    ],
  },
  "orders-pods": {
    app: "orders",
    addresses: [],
    ports: [
      { name: "http", port: APPLICATION.http, targetPort: APPLICATION.http },
      { name: "tcp-talk", port: APPLICATION.tcp, targetPort: APPLICATION.tcp },
    ],
  },
  payments: { app: "payments", addresses: [PAYMENTS], ports: [{ name: "http", port: 80, targetPort: APPLICATION.http }] },
};

/** Nothing was heard before the end. */
const REFUSED = { heard: "", outcome: expect.stringMatching(/^(closed|ECONNRESET)$/) as unknown };

const WEB_MAY_CALL_ORDERS = policy("AccessPolicy", "orders", {
  targetRefs: [{ kind: "Service", name: "orders" }],
  action: "Allow",
  rules: [
    { name: "reads", from: [{ serviceAccounts: ["web", "orders"] }], to: [{ methods: ["GET"] }] },
    { name: "talks", from: [{ serviceAccounts: ["web"] }], to: [{ ports: [APPLICATION.tcp, APPLICATION.detectedTcp] }] },
  ],
});

describe("pods whose traffic is redirected", () => {
  const mesh = new RedirectedMesh();

  beforeAll(async () => {
    await mesh.start();
    for (const [name, plan] of Object.entries(SERVICES)) mesh.test.set(serviceObject(name, plan));
    mesh.test.set(WEB_MAY_CALL_ORDERS);
    for (const name of ["orders-0", "orders-1"]) await mesh.addPod(name, { probes: PROBES });
    await mesh.addPod("web");
    await mesh.addPod("payments");
    await mesh.addPod("stranger", { sidecar: false });
    await mesh.apply(...slices());
  });

  function slices(): KubernetesObject[] {
    return Object.entries(SERVICES).flatMap(([name, plan]) => {
      const pods = ["orders-0", "orders-1", "payments"].map((pod) => mesh.pod(pod)).filter((pod) => pod.name.startsWith(plan.app));
      return endpointSlices(name, plan, pods);
    });
  }

  describe("on their way to a Service", () => {
    it.each([
      ["IPv4", ORDERS.ipv4],
      ["IPv6", ORDERS.ipv6],
    ])("reach it by its address, over mutual TLS, whatever Host they claim (%s)", async (_family, address) => {
      const answer = await mesh.call("web", { address, port: 80, path: `/${address}`, host: "payments" });
      expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('"upstream":"orders-') as unknown });
      expect(JSON.parse(answer.body)).toMatchObject({ host: "payments", protocol: "HTTP/1.1" });
      const { upstream } = JSON.parse(answer.body) as { readonly upstream: string };
      expect(await mesh.logged(upstream, { path: `/${address}` })).toMatchObject({
        peer: "spiffe://cluster.local/ns/shop/sa/web",
        verdict: "allowed",
        policy: "accesspolicy/shop/orders/reads",
      });
      expect(await mesh.logged("web", { path: `/${address}` })).toMatchObject({ workload: "shop/web", cluster: "outbound/shop/orders/80" });
    });

    it("keep no connection to an application for so long that it might close it under a request", async () => {
      const count = async (what: string): Promise<number> => {
        const counts = ["orders-0", "orders-1"].map((name) => mesh.stat(name, `cluster.inbound/${APPLICATION.http}.upstream_cx_${what}`));
        return (await Promise.all(counts)).reduce((sum, one) => sum + one, 0);
      };
      const before = { idle: await count("idle_timeout"), remote: await count("destroy_remote") };
      expect((await mesh.call("web", { address: ORDERS.ipv4, port: 80 })).status).toBe(200);
      // A second, where applications wait five and more; a slow machine has time to see it.
      await until("no connection is left", async () => (await count("active")) === 0, { timeoutMs: 30_000 });
      expect(await count("destroy_remote")).toBe(before.remote);
      expect(await count("idle_timeout")).toBeGreaterThan(before.idle);
    });

    it("are refused there by name", async () => {
      expect((await mesh.call("web", { address: ORDERS.ipv4, port: 80, method: "POST", path: "/post" })).status).toBe(403);
      expect(await mesh.logged("web", { path: "/post" })).toMatchObject({ status: 403 });
    });

    it("reach a server that speaks first", async () => {
      const { heard } = await mesh.talk("web", { address: ORDERS.ipv4, port: 9000 });
      expect(heard).toMatch(/^220 orders-/);
    });

    it("may speak HTTP/1, HTTP/2 or anything else on a port that does not say what it speaks", async () => {
      for (const version of [1, 2] as const) {
        const answer = await mesh.call("web", { address: ORDERS.ipv4, port: 7000, version });
        expect(answer).toMatchObject({ status: 200 });
      }
      const grpc = { version: 2, method: "GET", path: "/grpc", headers: [["content-type", "application/grpc"]] } as const;
      const answer = await mesh.call("web", { address: ORDERS.ipv4, port: 7000, ...grpc });
      expect(JSON.parse(answer.body)).toMatchObject({ protocol: "HTTP/2.0" });
      expect((await mesh.talk("web", { address: ORDERS.ipv4, port: 7100 })).heard).toMatch(/^220 orders-/);
    });
  });

  describe("on a TCPRoute that leads to pods with and without sidecar", () => {
    it("reach both, the former over mutual TLS", async () => {
      const port = { name: "tcp-talk", port: 9000, targetPort: APPLICATION.tcp };
      const split: ServicePlan = { app: "orders", addresses: ["198.19.0.12"], ports: [port] };
      const plain: ServicePlan = { app: "stranger", addresses: ["198.19.0.13"], ports: [port] };
      const route = {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "TCPRoute",
        metadata: { name: "split", namespace: "shop" },
        spec: {
          parentRefs: [{ group: "", kind: "Service", name: "split" }],
          rules: [
            {
              backendRefs: [
                { name: "orders", port: 9000 },
                { name: "plain", port: 9000 },
              ],
            },
          ],
        },
      } as KubernetesObject;
      const replicas = ["orders-0", "orders-1"].map((name) => mesh.pod(name));
      await mesh.apply(serviceObject("split", split), ...endpointSlices("split", split, replicas));
      await mesh.apply(serviceObject("plain", plain), ...endpointSlices("plain", plain, [mesh.pod("stranger")]), route);
      const answering = new Map<string, string>();
      await eventually("both were reached", async () => {
        const { heard } = await mesh.talk("web", { address: "198.19.0.12", port: 9000, say: "hello\n" });
        const [, pod = "", app = "nobody"] = /^220 ((orders|stranger)\S*)/.exec(heard) ?? [];
        expect(app).not.toBe("nobody");
        answering.set(app, pod);
        return answering.size === 2 ? true : undefined;
      });
      expect(await mesh.logged(answering.get("orders") ?? "", { direction: "inbound", bytesReceived: "hello\n".length })).toMatchObject({
        peer: "spiffe://cluster.local/ns/shop/sa/web",
        verdict: "allowed",
      });
    });
  });

  describe("on their way to what they may not see", () => {
    it("are told so where they speak HTTP", async () => {
      for (const address of [PAYMENTS, ELSEWHERE]) {
        const answer = await mesh.call("web", { address, port: 80, path: `/not-visible/${address}` });
        expect(answer.status).toBe(403);
        expect(await mesh.logged("web", { path: `/not-visible/${address}` })).toMatchObject({
          verdict: "denied",
          policy: "not-visible/shop/web",
        });
      }
    });

    it("are closed after the answer, so that a client which keeps its connections finds what becomes visible", async () => {
      const answer = await mesh.call("web", { address: PAYMENTS, port: 80 });
      expect(answer).toMatchObject({ status: 403, headers: expect.arrayContaining([["connection", "close"]]) as unknown });
    });

    it("are closed where they speak anything else, with the same name in the log", async () => {
      const talk = await mesh.talk("web", { address: ELSEWHERE, port: 4444, say: "\u0016\u0003\u0001 not HTTP\n" });
      expect(talk).toEqual(REFUSED);
      expect(await mesh.logged("web", { destination: `${ELSEWHERE}:4444` })).toMatchObject({
        verdict: "denied",
        policy: "not-visible/shop/web",
      });
    });

    it("are closed where they say nothing", async () => {
      expect(await mesh.talk("web", { address: ELSEWHERE, port: 5432 })).toEqual(REFUSED);
    });
  });

  describe("towards the pods of a headless Service", () => {
    it.each(["orders-0", "orders-1"])("reach exactly %s, over mutual TLS", async (name) => {
      const { addresses } = mesh.pod(name);
      for (const address of [addresses.ipv4, addresses.ipv6]) {
        const answer = await mesh.call("web", { address, port: APPLICATION.http, path: `/direct/${address}` });
        expect(JSON.parse(answer.body)).toMatchObject({ upstream: name });
        expect(await mesh.logged(name, { path: `/direct/${address}` })).toMatchObject({ peer: "spiffe://cluster.local/ns/shop/sa/web" });
        expect((await mesh.talk("web", { address, port: APPLICATION.tcp })).heard).toBe(`220 ${name}\n`);
      }
    });
  });

  describe("that call themselves", () => {
    it("meet their own policies by way of their Service", async () => {
      for (let attempt = 0; attempt < 4; attempt++) {
        const answer = await mesh.call("orders-0", { address: ORDERS.ipv4, port: 80, path: "/hairpin" });
        expect(answer.status).toBe(200);
      }
      expect(await mesh.logged("orders-0", { direction: "inbound", path: "/hairpin" })).toMatchObject({
        peer: "spiffe://cluster.local/ns/shop/sa/orders",
      });
      expect((await mesh.call("orders-0", { address: ORDERS.ipv4, port: 80, method: "POST" })).status).toBe(403);
    });

    it("meet no sidecar at their own address", async () => {
      const { ipv4, ipv6 } = mesh.pod("payments").addresses;
      for (const address of [ipv4, ipv6, "127.0.0.1", "::1"])
        expect((await mesh.call("payments", { address, port: APPLICATION.http })).status).toBe(200);
    });
  });

  describe("asked by the kubelet", () => {
    /** From the node, without a sidecar: as the stranger asks. */
    const probe = async (path: string, port: number, family: "ipv4" | "ipv6" = "ipv4"): Promise<number> =>
      (await mesh.call("stranger", { address: mesh.pod("orders-0").addresses[family], port, path })).status;

    it("say that they are ready, what their metrics are, and nothing else of the sidecar", async () => {
      for (const family of ["ipv4", "ipv6"] as const) {
        expect(await probe("/ready", SIDECAR_PORTS.readiness, family)).toBe(200);
        expect(await probe("/stats/prometheus", SIDECAR_PORTS.metrics, family)).toBe(200);
      }
      for (const path of ["/config_dump", "/quitquitquit", "/ready/", "/stats"])
        expect([path, await probe(path, SIDECAR_PORTS.readiness), await probe(path, SIDECAR_PORTS.metrics)]).toEqual([path, 404, 404]);
    });

    it("take no farewell for a key that is not theirs", async () => {
      for (const path of ["/farewell", "/farewell/", "/farewell/another", `${farewellPath(FAREWELL_KEY)}/`])
        expect([path, await probe(path, SIDECAR_PORTS.readiness)]).toEqual([path, 404]);
      const { ipv4 } = mesh.pod("orders-0").addresses;
      expect((await mesh.call("stranger", { address: ipv4, port: APPLICATION.http })).headers).not.toContainEqual(["connection", "close"]);
    });

    it("pass probes on to the application, and tell whether its ports take connections", async () => {
      for (const family of ["ipv4", "ipv6"] as const) expect(await probe("/app/livez", SIDECAR_PORTS.probes, family)).toBe(200);
      await eventually("the port is found open", async () =>
        (await probe("/app/readyz", SIDECAR_PORTS.probes)) === 200 ? true : undefined,
      );
      expect(await probe("/app/startupz", SIDECAR_PORTS.probes)).toBe(503);
      expect(await probe("/elsewhere", SIDECAR_PORTS.probes)).toBe(404);
    });
  });

  describe("while policies change", () => {
    it("keep their listeners, and a stream that is under way", async () => {
      const counters = async (): Promise<number[]> =>
        Promise.all(["web", "orders-0", "orders-1"].map((name) => mesh.stat(name, "listener_manager.listener_modified")));
      const before = await counters();
      const talking = mesh.talk("web", { address: ORDERS.ipv4, port: 9000, until: 1_000, patienceMs: 3_000 });
      const more = structuredClone(WEB_MAY_CALL_ORDERS) as unknown as { spec: { rules: object[] } };
      more.spec.rules.push({ name: "writes", from: [{ serviceAccounts: ["web"] }], to: [{ methods: ["PUT"] }] });
      await mesh.apply(more as unknown as KubernetesObject);
      expect((await mesh.call("web", { address: ORDERS.ipv4, port: 80, method: "PUT" })).status).toBe(200);
      await mesh.apply(clusterPolicy("MeshConfig", "mesh", { access: { default: "Allow" } }));
      expect(await counters()).toEqual(before);
      expect((await talking).outcome).toBe("silence");
    });

    it("let everything through that leads to nothing known where the default is Allow, on both sides", async () => {
      const { ipv4 } = mesh.pod("stranger").addresses;
      expect((await mesh.call("web", { address: ipv4, port: APPLICATION.http })).status).toBe(200);
      expect(await mesh.logged("web", { destination: `${ipv4}:${APPLICATION.http}` })).toMatchObject({
        verdict: "allowed",
        cluster: "passthrough",
      });
      expect((await mesh.call("stranger", { address: mesh.pod("payments").addresses.ipv4, port: APPLICATION.undeclared })).status).toBe(
        200,
      );
      // What lets everything through would lead these to themselves, again and again until no connection is left to open.
      const opened = async (): Promise<number> => {
        const clusters = ["passthrough", "inbound/0"].map((cluster) => mesh.stat("web", `cluster.${cluster}.upstream_cx_total`));
        return (await Promise.all(clusters)).reduce((sum, count) => sum + count, 0);
      };
      const before = await opened();
      for (const address of ["127.0.0.1", "::1"])
        expect(await mesh.talk("web", { address, port: SIDECAR_PORTS.outbound, say: "hello" })).toEqual(REFUSED);
      for (const address of ["127.0.0.1", "::1", mesh.pod("web").addresses.ipv4])
        expect(await mesh.talk("web", { address, port: SIDECAR_PORTS.inbound, say: "hello" })).toEqual(REFUSED);
      expect(await opened()).toBe(before);
      await mesh.apply(clusterPolicy("MeshConfig", "mesh", { access: { default: "Deny" } }));
      expect((await mesh.call("web", { address: ipv4, port: APPLICATION.http })).status).toBe(403);
    });
  });

  it("are not ready before the mesh knows them", async () => {
    const pod = await mesh.addPod("late", { known: false });
    const says = await eventually("the sidecar's admin port answers", async () => {
      const answer: Partial<HttpAnswer> = await mesh.call("late", {
        address: "127.0.0.1",
        port: SIDECAR_PORTS.admin,
        path: "/ready",
        host: "localhost",
      });
      return answer.status === undefined ? undefined : answer;
    });
    expect(says).toMatchObject({ status: 503, body: expect.stringContaining("INITIALIZING") as unknown });
    expect(await mesh.readiness("late")).toBeUndefined();
    mesh.introduce(pod);
    await mesh.configured("late");
    expect((await mesh.call("late", { address: ORDERS.ipv4, port: 80 })).status).toBe(403);
  });

  it("have their excluded ports to themselves", async () => {
    await mesh.addPod("metered", { excludedInboundPorts: [APPLICATION.undeclared] });
    const { ipv4 } = mesh.pod("metered").addresses;
    expect((await mesh.call("stranger", { address: ipv4, port: APPLICATION.undeclared })).status).toBe(200);
    expect(await mesh.talk("stranger", { address: ipv4, port: APPLICATION.tcp, say: "x" })).toEqual(REFUSED);
  });

  it("ask callers to leave when their farewell begins, and serve on", async () => {
    const { ipv4 } = (await mesh.addPod("payments-1")).addresses;
    await mesh.apply(clusterPolicy("MeshConfig", "mesh", { access: { default: "Allow" } }));
    const called = (): Promise<HttpAnswer> => mesh.call("stranger", { address: ipv4, port: APPLICATION.http });
    const closes = ["connection", "close"];
    expect((await called()).headers).not.toContainEqual(closes);
    expect(await mesh.call("stranger", { address: ipv4, port: SIDECAR_PORTS.readiness, path: farewellPath(FAREWELL_KEY) })).toMatchObject({
      status: 200,
    });
    for (let call = 0; call < 5; call++) {
      const { status, headers } = await called();
      expect(status).toBe(200);
      expect(headers).toContainEqual(closes);
    }
    expect(await mesh.readiness("payments-1")).toBe(200);
    await mesh.apply(clusterPolicy("MeshConfig", "mesh", { access: { default: "Deny" } }));
  });

  describe("called by a stranger", () => {
    it("refuse requests and bytes on every port, declared or not", async () => {
      const { ipv4, ipv6 } = mesh.pod("orders-0").addresses;
      for (const address of [ipv4, ipv6]) {
        for (const port of [APPLICATION.http, APPLICATION.detectedHttp])
          expect(await mesh.call("stranger", { address, port })).toMatchObject({ status: 403 });
        for (const port of [APPLICATION.tcp, APPLICATION.detectedTcp, APPLICATION.undeclared])
          expect(await mesh.talk("stranger", { address, port, say: "anything\n" })).toEqual(REFUSED);
      }
    });

    it("hand nothing on that was sent to the sidecar's own ports", async () => {
      const { ipv4 } = mesh.pod("orders-0").addresses;
      for (const port of [15001, 15006])
        expect(await mesh.talk("stranger", { address: ipv4, port, say: "hello" })).toMatchObject({ heard: "" });
      expect((await mesh.talk("stranger", { address: ipv4, port: 15000 })).outcome).toBe("ECONNREFUSED");
      for (const port of [15001, 15006])
        expect(await mesh.talk("orders-0", { address: "127.0.0.1", port, say: "hello" })).toMatchObject({ heard: "" });
    });
  });
});

const PROBES = [
  { path: "/app/livez", port: APPLICATION.http, check: { kind: "http", scheme: "HTTP", path: "/healthz?full=1" } },
  { path: "/app/readyz", port: APPLICATION.tcp, check: { kind: "tcp" }, periodSeconds: 1 },
  { path: "/app/startupz", port: 9999, check: { kind: "tcp" }, periodSeconds: 1 },
] as const;
