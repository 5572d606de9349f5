import { describe, expect, it } from "@jest/globals";
import type { KubernetesObject } from "../../crds/core/object.ts";
import { allow, clusterPolicy, namespace, policy } from "./testing/objects.ts";
import { TestMesh } from "./testing/mesh-of.ts";

interface PodOptions {
  readonly app?: string;
  readonly sidecar?: boolean;
  readonly hostNetwork?: boolean;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly addresses?: readonly string[];
  readonly namespace?: string;
}

function pod(name: string, address: string, options: PodOptions = {}): KubernetesObject {
  const { app = name.replace(/-\d$/, ""), sidecar = true, hostNetwork = false, annotations = {}, addresses = [address] } = options;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: options.namespace ?? "shop", labels: { app }, annotations },
    spec: {
      serviceAccountName: app,
      hostNetwork,
      initContainers: sidecar ? [{ name: "seawall-proxy", restartPolicy: "Always" }] : [],
      containers: [{ name: "app", ports: [{ name: "http", containerPort: 8080 }] }],
    },
    status: { phase: "Running", podIP: address, podIPs: addresses.map((ip) => ({ ip })) },
  } as KubernetesObject;
}

function service(name: string, clusterIPs: readonly string[], ports: readonly object[] = [HTTP]): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop" },
    spec: { selector: { app: name }, clusterIP: clusterIPs[0] ?? "None", clusterIPs, ports },
  };
}

const HTTP = { name: "http", port: 80, targetPort: 8080 };

interface Endpoint {
  readonly address: string;
  readonly pod?: string;
  readonly conditions?: object;
}

function slice(serviceName: string, endpoints: readonly Endpoint[], addressType = "IPv4"): KubernetesObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${serviceName}-${addressType}`, namespace: "shop", labels: { "kubernetes.io/service-name": serviceName } },
    addressType,
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: endpoints.map(({ address, pod: name, conditions = { ready: true } }) => ({
      addresses: [address],
      conditions,
      ...(name === undefined ? {} : { targetRef: { kind: "Pod", namespace: "shop", name } }),
    })),
    spec: undefined,
  } as KubernetesObject;
}

const SHOP = [
  namespace("shop"),
  pod("web-0", "198.18.0.1"),
  pod("orders-0", "198.18.0.2"),
  pod("orders-1", "198.18.0.3"),
  service("orders", ["198.19.0.1"]),
  slice("orders", [
    { address: "198.18.0.2", pod: "orders-0" },
    { address: "198.18.0.3", pod: "orders-1" },
  ]),
  allow("orders", "orders", ["web"]),
];

const meshOf = (...more: readonly KubernetesObject[]): TestMesh => new TestMesh([...SHOP, ...more], { kind: "kubernetes" });

function versionsOf({ mesh }: TestMesh): Map<string, string> {
  return new Map([...mesh.resources.entries()].map(([id, { version }]) => [id, version]));
}

/** Ids of the resources that an edit adds, removes or changes. */
function changedBy(test: TestMesh, ...objects: readonly KubernetesObject[]): string[] {
  const before = versionsOf(test);
  for (const object of objects) test.set(object);
  test.tick();
  const after = versionsOf(test);
  return [...new Set([...before.keys(), ...after.keys()])].filter((id) => before.get(id) !== after.get(id)).sort();
}

const typesOf = (ids: readonly string[]): string[] => [...new Set(ids.map((id) => id.split("|").at(-2) ?? ""))].sort();

/** Names of the resources of one type that a pod's sidecar sees. */
function seen({ mesh }: TestMesh, subscriber: string, type: string): string[] {
  const layers = mesh.subscribers.get(subscriber)?.layers ?? [];
  const resources = layers.flatMap((key) => [...(mesh.layers.get(key)?.resources ?? [])]).flatMap((id) => mesh.resources.get(id) ?? []);
  return resources.flatMap(({ typeUrl, name }) => (typeUrl.endsWith(`.${type}`) ? [name] : [])).sort();
}

const endpointsOf = ({ mesh }: TestMesh, service: string): readonly string[] =>
  (mesh.backends.get(`shop/${service}/80`)?.endpoints ?? []).map(
    ({ address, mesh: sidecar }) => `${address}${sidecar ? "" : " plaintext"}`,
  );

describe("redirected pods", () => {
  it("share all that replicas have in common: none has anything of its own", () => {
    const { mesh } = meshOf();
    expect(mesh.subscribers.get("shop/orders-0")?.layers).toEqual(mesh.subscribers.get("shop/orders-1")?.layers);
  });

  it("see the listeners of the services that they may call, and of no others", () => {
    const test = meshOf(service("payments", ["198.19.0.2"]), pod("payments-0", "198.18.0.4"));
    expect(seen(test, "shop/web-0", "Listener")).toEqual(["inbound", "not-visible", "outbound", "outbound/shop/orders/80"]);
    expect(seen(test, "shop/payments-0", "Listener")).toEqual(["inbound", "not-visible", "outbound"]);
  });

  it("cost an endpoint, and nothing else, when an endpoint comes or goes", () => {
    const test = meshOf();
    expect(changedBy(test, slice("orders", [{ address: "198.18.0.2", pod: "orders-0" }]))).toEqual([
      "mesh|ClusterLoadAssignment|outbound/shop/orders/80",
    ]);
  });

  it("keep every listener when policies and the access default are edited", () => {
    const test = meshOf();
    const reads = policy("AccessPolicy", "orders", {
      targetRefs: [{ kind: "Service", name: "orders" }],
      action: "Allow",
      rules: [{ name: "callers", from: [{ serviceAccounts: ["web"] }], to: [{ methods: ["GET", "HEAD"] }] }],
    });
    expect(typesOf(changedBy(test, reads))).toEqual(["RouteConfiguration"]);
    expect(typesOf(changedBy(test, clusterPolicy("MeshConfig", "mesh", { access: { default: "Allow" } })))).toEqual([
      "RouteConfiguration",
      "TypedExtensionConfig",
    ]);
  });

  it("keep the listener of a TCP service when an endpoint without a sidecar ends the tunnels", () => {
    const tcp = [{ name: "tcp-talk", port: 9000, targetPort: 9000 }];
    const test = meshOf(service("ledger", ["198.19.0.3"], tcp), pod("ledger-0", "198.18.0.5"));
    const changed = changedBy(test, pod("ledger-1", "198.18.0.6", { sidecar: false }));
    expect(typesOf(changed)).toEqual(["Cluster", "ClusterLoadAssignment", "TypedExtensionConfig"]);
  });

  it("have no tunnel to any backend of a TCPRoute while one takes none", () => {
    const tcp = [{ name: "tcp-talk", port: 9000, targetPort: 9000 }];
    const backendRefs = ["ledger", "vault", "missing"].map((name) => ({ name, port: 9000 }));
    const route = {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "TCPRoute",
      metadata: { name: "split", namespace: "shop" },
      spec: { parentRefs: [{ group: "", kind: "Service", name: "ledger" }], rules: [{ backendRefs }] },
    } as KubernetesObject;
    const services = [service("ledger", ["198.19.0.3"], tcp), service("vault", ["198.19.0.4"], tcp)];
    const vault = (sidecar: boolean): KubernetesObject => pod("vault-0", "198.18.0.6", { sidecar });
    const test = meshOf(...services, pod("ledger-0", "198.18.0.5"), vault(false), route, allow("ledger", "ledger", ["web"]));
    const untunnelled = (): string[] => seen(test, "shop/web-0", "Cluster").filter((name) => name.endsWith("/untunnelled"));
    expect(untunnelled()).toEqual(["outbound/shop/ledger/9000/untunnelled"]);
    const changed = changedBy(test, vault(true)).filter((id) => id.includes("outbound/shop/ledger/9000"));
    expect(typesOf(changed)).toEqual(["Cluster", "ClusterLoadAssignment", "TypedExtensionConfig"]);
    expect(untunnelled()).toEqual([]);
  });

  it("are those with the injected container, whatever their annotations say, and never those on the host's network", () => {
    const test = meshOf(
      pod("late", "198.18.0.7", { annotations: { "seawall.dev/inject": "false" } }),
      pod("plain", "198.18.0.8", { sidecar: false }),
      pod("host", "192.0.2.1", { hostNetwork: true }),
    );
    const pods = [...test.mesh.subscribers.entries()].map(([key]) => key).sort();
    expect(pods).toEqual(["shop/late", "shop/orders-0", "shop/orders-1", "shop/web-0"]);
  });

  it("are called in plaintext on ports that are excluded from the redirect, which everybody sees", () => {
    const test = meshOf(pod("orders-1", "198.18.0.3", { annotations: { "seawall.dev/exclude-inbound-ports": "9999, 8080" } }));
    expect(endpointsOf(test, "orders")).toEqual(["198.18.0.2", "198.18.0.3 plaintext"]);
    expect(test.mesh.backends.get("shop/orders/80")?.audience).toEqual(["*"]);
  });
});

describe("bytes that come to a redirected pod", () => {
  /** What an extension of the pod's workload says, as text: names of rules are readable in its bytes. */
  const extension = ({ mesh }: TestMesh, subscriber: string, name: string): string => {
    const layers = mesh.subscribers.get(subscriber)?.layers ?? [];
    const ids = layers.flatMap((key) => [...(mesh.layers.get(key)?.resources ?? [])]);
    const id = ids.find((candidate) => candidate.endsWith(`|TypedExtensionConfig|${name}`)) ?? "";
    return Buffer.from(mesh.resources.get(id)?.entry ?? []).toString("latin1");
  };

  it("are refused by name on ports that nobody declares", () => {
    const test = meshOf();
    expect(extension(test, "shop/orders-0", "tcp-access/0")).toContain("not-declared/shop/orders");
    expect(extension(test, "shop/orders-0", "tcp-access/8080")).toBe("");
  });

  it("are no way around limits where the protocol of the port is not declared", () => {
    const web = { name: "web", port: 80, targetPort: 8080 };
    const plain = { ...(pod("orders-0", "198.18.0.2") as KubernetesObject & { spec: object }) };
    const undeclared = { ...plain, spec: { ...plain.spec, containers: [{ name: "app" }] } };
    const test = meshOf(service("orders", ["198.19.0.1"], [web]), undeclared);
    const denials = (): string => extension(test, "shop/orders-0", "tcp-deny/8080");
    expect(denials()).not.toContain("not-http");
    const limits = { targetRefs: [{ kind: "Service", name: "orders" }], limits: [{ name: "few", requests: 5, window: "1m" }] };
    changedBy(test, policy("RateLimitPolicy", "few", limits));
    expect(denials()).toContain("ratelimitpolicy/shop/few/not-http");
    changedBy(test, policy("RateLimitPolicy", "few", { ...limits, enforcement: "Audit" }));
    expect(denials()).not.toContain("not-http");
  });
});

describe("the endpoints of a service in a cluster", () => {
  it("that are about to end take traffic only while there are no others", () => {
    const ending = { ready: false, serving: true, terminating: true };
    const test = meshOf(
      slice("orders", [
        { address: "198.18.0.2", pod: "orders-0", conditions: ending },
        { address: "198.18.0.3", pod: "orders-1" },
      ]),
    );
    expect(endpointsOf(test, "orders")).toEqual(["198.18.0.3"]);
    changedBy(
      test,
      slice("orders", [
        { address: "198.18.0.2", pod: "orders-0", conditions: ending },
        { address: "198.18.0.3", pod: "orders-1", conditions: { ready: false, serving: false } },
      ]),
    );
    expect(endpointsOf(test, "orders")).toEqual(["198.18.0.2"]);
  });

  it("that say they are a pod wait for that pod: nobody calls them in plaintext, and nobody sees them for it", () => {
    const test = meshOf(
      slice("orders", [
        { address: "198.18.0.2", pod: "orders-0" },
        { address: "198.18.0.9", pod: "orders-2" },
      ]),
    );
    expect(endpointsOf(test, "orders")).toEqual(["198.18.0.2"]);
    expect(test.mesh.backends.get("shop/orders/80")?.audience).toEqual(["shop/web"]);
    changedBy(test, pod("orders-2", "198.18.0.9"));
    expect(endpointsOf(test, "orders")).toEqual(["198.18.0.2", "198.18.0.9"]);
  });

  it("are those of the family of the service's first address", () => {
    const addresses = ["198.18.0.2", "fd00:198:18::2"];
    const test = meshOf(
      pod("orders-0", "198.18.0.2", { addresses }),
      service("orders", ["fd00:198:19::1", "198.19.0.1"]),
      slice("orders", [{ address: "fd00:198:18::2", pod: "orders-0" }], "IPv6"),
    );
    expect(endpointsOf(test, "orders")).toEqual(["fd00:198:18::2"]);
  });

  it("that are no pods, as those of the API server, may be called by everybody, without tunnels", () => {
    const https = { name: "https", port: 443, targetPort: 6443 };
    const test = meshOf(service("kubernetes", ["198.19.0.9"], [https]), {
      ...slice("kubernetes", [{ address: "192.0.2.10" }]),
      ports: [{ name: "https", port: 6443, protocol: "TCP" }],
    } as KubernetesObject);
    expect(test.mesh.backends.get("shop/kubernetes/443")).toMatchObject({
      traffic: "bytes",
      audience: ["*"],
      endpoints: [{ address: "192.0.2.10", port: 6443, mesh: false }],
    });
    expect(seen(test, "shop/orders-0", "Listener")).toContain("outbound/shop/kubernetes/443");
  });
});

describe("the pods of a headless service", () => {
  const headless = (): TestMesh =>
    meshOf(
      service("orders", []),
      slice("orders", [
        { address: "198.18.0.2", pod: "orders-0" },
        { address: "198.18.0.3", pod: "orders-1" },
      ]),
    );

  it("have a listener each", () => {
    expect(seen(headless(), "shop/web-0", "Listener").filter((name) => name.startsWith("direct/"))).toEqual([
      "direct/198.18.0.2:8080",
      "direct/198.18.0.3:8080",
    ]);
  });

  it("leave each other's listeners alone when they come and go", () => {
    const gone = slice("orders", [{ address: "198.18.0.2", pod: "orders-0" }]);
    expect(changedBy(headless(), gone)).toEqual([
      "mesh|ClusterLoadAssignment|outbound/shop/orders/80",
      "mesh|Listener|direct/198.18.0.3:8080",
    ]);
  });

  it("have one listener for an address that stands behind several services", () => {
    const test = headless();
    changedBy(test, { ...service("also", []), spec: { ...(service("also", []).spec as object), selector: { app: "orders" } } });
    expect(seen(test, "shop/web-0", "Listener").filter((name) => name === "direct/198.18.0.2:8080")).toHaveLength(1);
  });
});

describe("routes of services in a cluster", () => {
  const route = (namespaceOfRoute: string, backend: string): KubernetesObject => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: `to-${backend}`, namespace: namespaceOfRoute },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: "front", namespace: "shop", port: 80 }],
      rules: [{ backendRefs: [{ group: "", kind: "Service", name: backend, namespace: "shop", port: 80 }] }],
    },
  });

  it("show a service that has no pods to those who may call where its routes lead", () => {
    const test = meshOf(service("front", ["198.19.0.5"]));
    expect(seen(test, "shop/web-0", "Listener")).not.toContain("outbound/shop/front/80");
    changedBy(test, route("shop", "orders"));
    expect(seen(test, "shop/web-0", "Listener")).toContain("outbound/shop/front/80");
    expect(seen(test, "shop/orders-0", "Listener")).not.toContain("outbound/shop/front/80");
  });

  it("are a caller's own where its namespace has some", () => {
    const grant: KubernetesObject = {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "ReferenceGrant",
      metadata: { name: "lab", namespace: "shop" },
      spec: {
        from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "lab" }],
        to: [{ group: "", kind: "Service" }],
      },
    };
    const test = meshOf(
      clusterPolicy("MeshConfig", "mesh", { access: { default: "Allow" } }),
      ...[namespace("lab"), pod("tester-0", "198.18.0.20", { namespace: "lab" })],
      ...[service("front", ["198.19.0.5"]), grant, route("lab", "payments")],
      ...[service("payments", ["198.19.0.6"]), pod("payments-0", "198.18.0.21")],
    );
    const ownersOf = (subscriber: string): string[] => {
      const ids = (test.mesh.subscribers.get(subscriber)?.layers ?? []).flatMap((key) => [...(test.mesh.layers.get(key)?.resources ?? [])]);
      return ids.filter((id) => id.endsWith("RouteConfiguration|outbound/shop/front/80"));
    };
    expect(ownersOf("lab/tester-0")).toEqual(["consumer/lab|shop/front/80|RouteConfiguration|outbound/shop/front/80"]);
    expect(ownersOf("shop/web-0")).toEqual([]);
  });
});
