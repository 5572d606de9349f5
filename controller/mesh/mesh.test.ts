import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { KubernetesObject } from "../../crds/core/object.ts";
import { allow, clusterPolicy, namespace, pod, policy, service } from "./testing/objects.ts";
import { TestMesh } from "./testing/mesh-of.ts";

const SHOP = [
  namespace("shop"),
  pod("web", "127.50.0.1"),
  pod("orders", "127.50.0.2"),
  pod("orders-b", "127.50.0.3", { account: "orders", labels: { app: "orders" } }),
  pod("payments", "127.50.0.4"),
  service("web"),
  service("orders"),
  service("payments"),
];

/** Ids of the resources that differ between two contents of one mesh. */
function versionsOf(mesh: TestMesh): Map<string, string> {
  return new Map([...mesh.mesh.resources.entries()].map(([id, { version }]) => [id, version]));
}

function changedIds(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter((id) => before.get(id) !== after.get(id)).sort();
}

describe("a mesh", () => {
  it("makes pods that agree in everything one workload", () => {
    const { mesh } = new TestMesh(SHOP);
    expect([...mesh.inventory.workloads.entries()].map(([, { name }]) => name).sort()).toEqual(["orders", "payments", "web"]);
  });

  it("shows a workload only the services that a policy could let it call", () => {
    const test = new TestMesh([...SHOP, allow("orders", "orders", ["web"])]);
    expect(test.mesh.outbound.visible.get("shop/web")?.map((ref) => ref.service)).toEqual(["orders"]);
    expect(test.mesh.outbound.visible.get("shop/payments")).toEqual([]);
  });

  it("touches the routes of the covered workload alone when a policy about requests changes", () => {
    const test = new TestMesh([...SHOP, allow("orders", "orders", ["web"])]);
    const before = versionsOf(test);
    test.set(
      policy("AccessPolicy", "orders", {
        targetRefs: [{ kind: "Service", name: "orders" }],
        action: "Allow",
        rules: [{ name: "callers", from: [{ serviceAccounts: ["web"] }], to: [{ methods: ["GET", "HEAD"] }] }],
      }),
    );
    test.tick();
    const changed = changedIds(before, versionsOf(test));
    expect(changed).toHaveLength(1);
    expect(changed[0]).toMatch(/^shop\/orders\/[0-9a-f]+\|RouteConfiguration\|inbound\/8080$/);
  });

  it("changes no listener when strict mTLS is turned off and on", () => {
    const test = new TestMesh([...SHOP, allow("orders", "orders", ["web"])]);
    const before = versionsOf(test);
    test.set(policy("MutualTLSPolicy", "orders", { targetRefs: [{ kind: "Service", name: "orders" }], mode: "Permissive" }));
    test.tick();
    expect(changedIds(before, versionsOf(test)).map((id) => id.split("|")[1])).toEqual(["RouteConfiguration"]);
  });

  it("makes the targets of an invalid policy refuse, and nobody else's", () => {
    const test = new TestMesh([...SHOP, allow("orders", "orders", ["web"])]);
    const before = versionsOf(test);
    test.set(
      policy("AccessPolicy", "orders", {
        targetRefs: [{ kind: "Service", name: "orders" }],
        action: "Allow",
        rules: [{ name: "callers", form: [] }],
      }),
    );
    test.tick();
    const ports = [...test.mesh.workloadPolicies.entries()].map(([, { workload, ports }]) => [
      workload.name,
      ports.flatMap((port) => port.invalid.map((entry) => entry.key)),
    ]);
    expect(ports.sort()).toEqual([
      ["orders", ["AccessPolicy/shop/orders"]],
      ["payments", []],
      ["web", []],
    ]);
    const inbound = changedIds(before, versionsOf(test)).filter((id) => id.includes("inbound"));
    expect(inbound.every((id) => id.startsWith("shop/orders/"))).toBe(true);
  });

  it("makes a whole namespace refuse when the targets of an invalid policy cannot be read", () => {
    const test = new TestMesh([...SHOP, policy("AccessPolicy", "broken", { targetRefs: "orders" })]);
    const refusing = [...test.mesh.workloadPolicies.entries()].filter(([, { ports }]) => ports.every((port) => port.invalid.length === 1));
    expect(refusing).toHaveLength(3);
  });

  it("says that a Deny rule about tokens which nobody verifies is invalid", () => {
    const deny = policy("AccessPolicy", "guests", {
      targetRefs: [{ kind: "Service", name: "orders" }],
      action: "Deny",
      rules: [{ name: "guests", from: [{ jwt: { issuer: "https://idp.example", claims: [{ name: "role", values: ["guest"] }] } }] }],
    });
    const test = new TestMesh([...SHOP, deny]);
    expect(test.mesh.policies.all.get("AccessPolicy/shop/guests")?.policy.state).toBe("invalid");
    const accepts = {
      targetRefs: [{ kind: "Service", name: "orders" }],
      accept: [{ jwt: { issuer: "https://idp.example", audiences: ["shop"], jwks: { uri: "https://idp.example/jwks" } } }],
    };
    test.set(policy("AuthenticationPolicy", "orders", accepts));
    test.tick();
    expect(test.mesh.policies.all.get("AccessPolicy/shop/guests")?.policy.state).toBe("valid");
  });

  it("publishes nothing when an equal object is written again, and the same versions after a delete and a return", () => {
    const test = new TestMesh([...SHOP, allow("orders", "orders", ["web"])]);
    const before = versionsOf(test);
    test.set(structuredClone(allow("orders", "orders", ["web"])));
    expect(test.tick().published).toBe(false);
    test.delete(allow("orders", "orders", ["web"]));
    test.tick();
    expect(changedIds(before, versionsOf(test)).length).toBeGreaterThan(0);
    test.set(allow("orders", "orders", ["web"]));
    test.tick();
    expect(changedIds(before, versionsOf(test))).toEqual([]);
  });

  it("recomputes the configuration of the covered workload alone", () => {
    const many = Array.from({ length: 40 }, (_, index) => [
      pod(`app-${index}`, `127.51.0.${index + 1}`),
      service(`app-${index}`),
      allow(`app-${index}`, `app-${index}`, ["web"]),
    ]).flat();
    const test = new TestMesh([...SHOP, ...many]);
    test.set(allow("app-7", "app-7", ["web", "orders"]));
    const report = test.tick();
    expect(report.collections.get("workload-policies")?.recomputed).toBe(1);
    expect(report.collections.get("inbound-resources")?.recomputed).toBe(1);
    expect(report.collections.get("inbound-listeners")).toBeUndefined();
  });

  it("recomputes nothing of the callers when an endpoint goes, whatever their service speaks", () => {
    const callers = Array.from({ length: 20 }, (_, index) => pod(`web-${index}`, `127.52.0.${index + 1}`, { account: "web" }));
    const ledger = service("ledger", { app: "orders" }, { appProtocol: "tcp" });
    const test = new TestMesh([...SHOP, ...callers, ledger, allow("orders", "orders", ["web"])]);
    test.set(pod("orders-b", "127.50.0.3", { account: "orders", labels: { app: "orders" }, ready: false }));
    const report = test.tick();
    expect(report.collections.get("endpoints")).toEqual({ recomputed: 2, changed: 2 });
    expect(report.collections.get("pod-resources")).toEqual({ recomputed: 1, changed: 0 });
  });
});

describe("incremental and from scratch", () => {
  const names = ["a", "b", "c"] as const;
  const name = fc.constantFrom(...names);
  const object: fc.Arbitrary<KubernetesObject> = fc.oneof(
    fc
      .record({
        name,
        ip: fc.integer({ min: 1, max: 5 }),
        account: name,
        app: name,
        tier: fc.constantFrom("front", "back"),
        ready: fc.boolean(),
        inject: fc.boolean(),
      })
      .map((it) =>
        pod(it.name, `127.52.0.${it.ip}`, {
          account: it.account,
          labels: { app: it.app, tier: it.tier },
          ready: it.ready,
          ...(it.inject ? {} : { annotations: { "seawall.dev/inject": "false" } }),
        }),
      ),
    fc.record({ name, app: name, tcp: fc.boolean() }).map((it) => service(it.name, { app: it.app }, it.tcp ? { appProtocol: "tcp" } : {})),
    fc.record({ name, target: name, from: fc.subarray([...names], { minLength: 1 }) }).map((it) => allow(it.name, it.target, it.from)),
    fc
      .record({
        name,
        tier: fc.constantFrom("front", "back"),
        action: fc.constantFrom("Allow", "Deny"),
        enforcement: fc.constantFrom("Enforce", "Audit"),
        broken: fc.boolean(),
      })
      .map((it) =>
        policy("AccessPolicy", `tier-${it.name}`, {
          targetSelectors: [{ kind: "Pod", matchLabels: { tier: it.tier } }],
          action: it.action,
          enforcement: it.enforcement,
          rules: [{ name: "r", from: [{ namespaces: [it.broken ? "" : "Same"] }] }],
        }),
      ),
    fc
      .record({ name, target: name, mode: fc.constantFrom("Strict", "Permissive", "Disable") })
      .map((it) => policy("MutualTLSPolicy", it.name, { targetRefs: [{ kind: "Service", name: it.target }], mode: it.mode })),
    fc
      .record({ access: fc.constantFrom("Deny", "Audit", "Allow") })
      .map((it) => clusterPolicy("MeshConfig", "mesh", { access: { default: it.access } })),
    fc.record({ name, backend: name }).map((it): KubernetesObject => ({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: it.name, namespace: "shop" },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: it.name, port: 80 }],
        rules: [{ backendRefs: [{ name: it.backend, port: 80 }] }],
      },
    })),
  );
  const step = fc.record({ object, remove: fc.boolean(), tick: fc.boolean() });

  it.each([{ kind: "standalone" }, { kind: "kubernetes" }] as const)("agree after any sequence of events ($kind)", (dataPlane) => {
    const placed = dataPlane.kind === "kubernetes" ? inCluster : (one: KubernetesObject): KubernetesObject => one;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const live = new TestMesh([], dataPlane);
        const present = new Map<string, KubernetesObject>();
        for (const { object: drawn, remove, tick } of steps) {
          const one = placed(drawn);
          const key = `${one.kind}/${one.metadata.name}`;
          if (remove) {
            live.delete(one);
            present.delete(key);
          } else {
            live.set(one);
            present.set(key, one);
          }
          if (tick) live.tick();
        }
        live.tick();
        expect(live.faults).toEqual([]);
        expect(live.content()).toEqual(new TestMesh(present.values(), dataPlane).content());
        expect(mistakesInViews(live.mesh)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

/** The same objects as a cluster has them: pods are injected or not, services have addresses or stand for those of their pods. */
function inCluster(object: KubernetesObject): KubernetesObject {
  const { metadata } = object;
  const spec = object.spec as object;
  switch (object.kind) {
    case "Pod": {
      const injected = metadata.annotations?.["seawall.dev/inject"] !== "false";
      return { ...object, spec: { ...spec, ...(injected ? { initContainers: [{ name: "seawall-proxy" }] } : {}) } };
    }
    case "Service":
      return { ...object, spec: { ...spec, clusterIP: metadata.name === "c" ? "None" : `198.19.0.${metadata.name.charCodeAt(0)}` } };
    default:
      return object;
  }
}

/** What must never be in what a subscriber sees: something that there is not, and two of one type and name. */
function mistakesInViews({ subscribers, layers, resources }: TestMesh["mesh"]): string[] {
  return [...subscribers.entries()].flatMap(([pod, subscriber]) => {
    const ids = new Set(subscriber.layers.flatMap((key) => [...(layers.get(key)?.resources ?? [`the layer ${key}`])]));
    const names = new Map<string, string>();
    return [...ids].flatMap((id) => {
      const found = resources.get(id);
      // The trust bundle comes from an authority, which these meshes have none of.
      if (found === undefined) return id.includes("Secret") ? [] : [`${pod} is to see ${id}, which there is not`];
      const name = `${found.typeUrl} ${found.name}`;
      const twin = names.get(name);
      names.set(name, id);
      return twin === undefined ? [] : [`${pod} sees ${id} and ${twin}`];
    });
  });
}
