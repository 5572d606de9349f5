import { describe, expect, it } from "@jest/globals";
import type { KubernetesObject } from "../../crds/core/object.ts";
import { GATEWAY_API_VERSION } from "../../crds/core/route/services.ts";
import { type MeshRoute, routeStatusOf } from "../../crds/routes.ts";
import { clusterPolicy, pod, service } from "./testing/objects.ts";
import { TestMesh } from "./testing/mesh-of.ts";

type BackendRef = Readonly<Record<string, unknown>>;

function route(kind: MeshRoute["kind"], name: string, parent: string, backendRefs: readonly BackendRef[], extra: object = {}): MeshRoute {
  const [namespace = "", own = ""] = name.split("/");
  const [parentNamespace = "", parentName = ""] = parent.split("/");
  const parentRef = { group: "", kind: "Service", namespace: parentNamespace, name: parentName };
  return {
    apiVersion: GATEWAY_API_VERSION,
    kind,
    metadata: { name: own, namespace },
    spec: { parentRefs: [parentRef], rules: [{ backendRefs }], ...extra },
  } as MeshRoute;
}

function grant(namespace: string, from: string, kind = "HTTPRoute"): KubernetesObject {
  return {
    apiVersion: GATEWAY_API_VERSION,
    kind: "ReferenceGrant",
    metadata: { name: "grant", namespace },
    spec: { from: [{ group: "gateway.networking.k8s.io", kind, namespace: from }], to: [{ group: "", kind: "Service" }] },
  };
}

function meshOf(...objects: KubernetesObject[]): TestMesh {
  return new TestMesh([
    clusterPolicy("MeshConfig", "mesh", { access: { default: "Allow" } }),
    service("orders"),
    service("orders-v2"),
    service("database", { app: "database" }, { appProtocol: "tcp" }),
    service("database-v2", { app: "database" }, { appProtocol: "tls" }),
    service("ledger", { app: "ledger" }, { namespace: "bank" }),
    pod("orders", "192.0.2.3"),
    pod("web", "192.0.2.1"),
    pod("teller", "192.0.2.2", { namespace: "bank" }),
    ...objects,
  ]);
}

const ORDERS = "shop/orders/80";

/** The names of a table's routes, in order. */
function names(mesh: TestMesh, key: string, table: "http" | "httpConsumer" = "http"): string[] | undefined {
  return mesh.mesh.routes[table].get(key)?.routes.map(({ name }) => name);
}

function reasons(mesh: TestMesh, of: MeshRoute): string[] {
  return routeStatusOf(of, [], mesh.mesh.routeWorld.knownServices()).flatMap(({ conditions }) => conditions.map(({ reason }) => reason));
}

describe("a consumer route", () => {
  const producer = route("HTTPRoute", "shop/producer", "shop/orders", [{ name: "orders-v2", port: 80 }]);
  const consumer = route("HTTPRoute", "bank/consumer", "shop/orders", [{ name: "orders-v2", namespace: "shop", port: 80 }]);

  it("replaces all of the producer's for the callers of its own namespace, and nobody else's", () => {
    const mesh = meshOf(producer, consumer);
    expect(names(mesh, ORDERS)).toEqual(["httproute/shop/producer/0", `no-rule/${ORDERS}`]);
    expect(names(mesh, `bank|${ORDERS}`, "httpConsumer")).toEqual(["httproute/bank/consumer/0", `no-rule/${ORDERS}`]);
    mesh.delete(producer);
    mesh.tick();
    expect(names(mesh, ORDERS)).toEqual([`default/${ORDERS}`]);
    expect(names(mesh, `bank|${ORDERS}`, "httpConsumer")).toHaveLength(2);
    mesh.delete(consumer);
    mesh.tick();
    expect([...mesh.mesh.routes.httpConsumer.keys()]).toEqual([]);
    expect(mesh.faults).toEqual([]);
  });

  it("is the only one that the sidecars of its namespace meet", () => {
    const mesh = meshOf(producer, consumer);
    const tableOf = (namespace: string, podName: string): string => {
      const workload = mesh.mesh.inventory.workloadOfPod.get(`${namespace}/${podName}`)?.key ?? "";
      const table = mesh.mesh.resources.get(`${workload}|RouteConfiguration|outbound`);
      return Buffer.from(table?.entry ?? new Uint8Array()).toString("latin1");
    };
    expect(tableOf("bank", "teller")).toContain("httproute/bank/consumer/0");
    expect(tableOf("bank", "teller")).not.toContain("httproute/shop/producer/0");
    expect(tableOf("shop", "web")).toContain("httproute/shop/producer/0");
    expect(tableOf("shop", "web")).not.toContain("httproute/bank/consumer/0");
  });

  it("needs no grant for its parent's namespace, and one for every other", () => {
    expect(reasons(meshOf(consumer), consumer)).toEqual(["Accepted", "ResolvedRefs"]);
    const elsewhere = route("HTTPRoute", "web/consumer", "shop/orders", [{ name: "ledger", namespace: "bank", port: 80 }]);
    expect(reasons(meshOf(elsewhere), elsewhere)).toEqual(["Accepted", "RefNotPermitted"]);
    expect(reasons(meshOf(elsewhere, grant("bank", "web")), elsewhere)).toEqual(["Accepted", "ResolvedRefs"]);
  });
});

describe("a ReferenceGrant", () => {
  const toTheBank = route("HTTPRoute", "shop/to-the-bank", "shop/orders", [{ name: "ledger", namespace: "bank", port: 80 }]);
  const reaches = (mesh: TestMesh): unknown => mesh.mesh.routes.http.get(ORDERS)?.backends;

  it("lets a route into another namespace, as long as it is there", () => {
    const mesh = meshOf(toTheBank);
    expect(reaches(mesh)).toEqual([]);
    mesh.set(grant("bank", "shop"));
    mesh.tick();
    expect(reaches(mesh)).toEqual([{ namespace: "bank", service: "ledger", port: 80 }]);
    expect(reasons(mesh, toTheBank)).toEqual(["Accepted", "ResolvedRefs"]);
    mesh.delete(grant("bank", "shop"));
    mesh.tick();
    expect(reaches(mesh)).toEqual([]);
    expect(reasons(mesh, toTheBank)).toEqual(["Accepted", "RefNotPermitted"]);
  });

  it.each([
    ["another kind", grant("bank", "shop", "GRPCRoute")],
    ["another namespace", grant("bank", "elsewhere")],
    ["somebody else's services", grant("shop", "shop")],
  ])("for %s does not", (_, other) => {
    expect(reaches(meshOf(toTheBank, other))).toEqual([]);
  });
});

describe("of several kinds of route on one port", () => {
  it("a GRPCRoute goes before an HTTPRoute, as long as it is there", () => {
    const grpc = route("GRPCRoute", "shop/grpc", "shop/orders", [{ name: "orders-v2", port: 80 }]);
    const http = route("HTTPRoute", "shop/http", "shop/orders", [{ name: "orders", port: 80 }]);
    const mesh = meshOf(grpc, http);
    expect(names(mesh, ORDERS)).toEqual(["grpcroute/shop/grpc/0", `no-rule/${ORDERS}`]);
    expect(reasons(mesh, grpc)).toEqual(["Accepted", "ResolvedRefs"]);
    expect(reasons(mesh, http)).toEqual(["Conflicted", "ResolvedRefs"]);
    mesh.delete(grpc);
    mesh.tick();
    expect(names(mesh, ORDERS)).toEqual(["httproute/shop/http/0", `no-rule/${ORDERS}`]);
    expect(reasons(mesh, http)).toEqual(["Accepted", "ResolvedRefs"]);
  });

  it("a TLSRoute goes before a TCPRoute, and a consumer's TCPRoute is its namespace's own", () => {
    const refs = [
      { name: "database", namespace: "shop", port: 80, weight: 3 },
      { name: "database-v2", namespace: "shop", port: 80 },
    ];
    const tcp = route("TCPRoute", "shop/tcp", "shop/database", refs);
    const own = route("TCPRoute", "bank/own", "shop/database", refs);
    const tls = route("TLSRoute", "shop/tls", "shop/database", refs, { hostnames: ["db.example"] });
    const mesh = meshOf(tcp, own);
    const shares = [
      { cluster: "outbound/shop/database/80", weight: 3 },
      { cluster: "outbound/shop/database-v2/80", weight: 1 },
    ];
    const chainsOf = (table: "tcp" | "tcpConsumer", key: string): unknown => mesh.mesh.routes[table].get(key)?.chains;
    expect(chainsOf("tcp", "shop/database/80")).toEqual([{ name: "tcproute/shop/tcp/0", serverNames: [], shares }]);
    expect(chainsOf("tcpConsumer", "bank|shop/database/80")).toEqual([{ name: "tcproute/bank/own/0", serverNames: [], shares }]);
    mesh.set(tls);
    mesh.tick();
    expect(chainsOf("tcp", "shop/database/80")).toMatchObject([
      { name: "tlsroute/shop/tls/0", serverNames: ["db.example"] },
      { name: "no-rule/shop/database/80", serverNames: [] },
    ]);
    expect(reasons(mesh, tcp)).toEqual(["Conflicted", "ResolvedRefs"]);
    expect(reasons(mesh, own)).toEqual(["Accepted", "ResolvedRefs"]);
    expect(mesh.mesh.routes.tcp.has("shop/database-v2/80")).toBe(false);
  });
});

it("an edit of a route computes the tables of its own services again, and no others", () => {
  const mesh = meshOf(route("HTTPRoute", "shop/r", "shop/orders", [{ name: "orders", port: 80 }]));
  mesh.set(route("HTTPRoute", "shop/r", "shop/orders", [{ name: "orders-v2", port: 80 }]));
  const report = mesh.tick();
  expect(report.collections.get("service-routes")).toMatchObject({ recomputed: 1 });
});
