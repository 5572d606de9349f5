/** Routes that the suite tests with Gateways only, between the suite's own pods. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Cluster } from "../cluster/cluster.ts";
import { eventually } from "../kubernetes/eventually.ts";
import { NAMESPACES } from "./features.ts";
import { gatewayApi } from "./gateway-api.ts";
import { setDefaultAccess } from "./under-access.ts";

const [MESH, CONSUMER] = NAMESPACES;
const GATEWAY_API = "gateway.networking.k8s.io";

export function otherRoutes(cluster: () => Pick<Cluster, "kubectl" | "apply">): void {
  describe("beyond the suite", () => {
    let before: string | null = null;
    beforeAll(async () => {
      before = await setDefaultAccess(cluster(), "Allow");
      // A namespace that the suite has just deleted may still be going.
      await cluster().kubectl("delete", "namespace", MESH, CONSUMER, "--ignore-not-found", "--timeout=120s");
      // Not by `apply`: the suite's manifests hold the namespaces too, and would take the label away.
      for (const namespace of [MESH, CONSUMER]) await cluster().kubectl("create", "namespace", namespace);
      await cluster().kubectl("label", "namespace", MESH, CONSUMER, "seawall.dev/injection=enabled");
      await cluster().kubectl("apply", "-f", gatewayApi().meshManifests);
      await cluster().apply(JSON.stringify(CONSUMER_ECHO));
      for (const namespace of [MESH, CONSUMER]) {
        await cluster().kubectl("rollout", "status", "deployment", "-n", namespace, "--timeout=180s");
      }
    }, 400_000);
    afterAll(async () => {
      await cluster().kubectl("delete", "namespace", MESH, CONSUMER, "--timeout=120s");
      await setDefaultAccess(cluster(), before);
    }, 200_000);

    /** The applications, such as `echo-v1`, that answered so many calls; nothing of those that were not answered with 200. */
    const answering = async (count: number, ...request: string[]): Promise<readonly string[]> => {
      const said = await cluster()
        .kubectl("exec", "-n", MESH, "deploy/echo-v1", "-c", "echo", "--", "client", ...request, `--count=${count}`)
        .catch((error: unknown) => String(error));
      return [...new Set([...said.matchAll(/Hostname=(echo-v\d)/g)].flatMap((match) => match[1] ?? []))].sort();
    };
    const conditions = async (kind: string, name: string): Promise<string> =>
      cluster().kubectl("get", kind, name, "-n", MESH, "-o", "jsonpath={.status.parents[*].conditions[*].reason}");

    it("a TCPRoute shares connections out by weight", async () => {
      expect(await answering(20, "tcp://echo-v1:9090")).toEqual(["echo-v1"]);
      await cluster().apply(route("TCPRoute", "moved", "echo-v1", 9090, [backend("echo-v2", 9090, 3), backend("echo-v1", 9090, 1)]));
      await eventually(
        () => answering(60, "tcp://echo-v1:9090"),
        (apps) => apps.length === 2,
      );
      await eventually(
        () => conditions("tcproute", "moved"),
        (reasons) => reasons === "Accepted ResolvedRefs",
      );
    });

    it("a TLSRoute passes connections through by the name that they ask for, and closes those of no name that it has", async () => {
      await cluster().apply(route("TLSRoute", "named", "echo", 443, [backend("echo-v2", 443)], { hostnames: ["two.example"] }));
      const asking = (name: string): Promise<readonly string[]> =>
        answering(10, "https://echo:443", "--insecure-skip-verify", "--server-name", name);
      await eventually(
        () => asking("two.example"),
        (apps) => apps.join() === "echo-v2",
      );
      expect(await asking("other.example")).toEqual([]);
      await eventually(
        () => conditions("tlsroute", "named"),
        (reasons) => reasons === "Accepted ResolvedRefs",
      );
    });

    it("a backend in another namespace is reached as long as a ReferenceGrant says so", async () => {
      await cluster().apply(route("HTTPRoute", "far", "echo-v2", 80, [{ ...backend("far-echo", 80), namespace: CONSUMER }]));
      await eventually(
        () => conditions("httproute", "far"),
        (reasons) => reasons === "Accepted RefNotPermitted",
      );
      await eventually(
        () => answering(5, "http://echo-v2/"),
        (apps) => apps.length === 0,
      );
      await cluster().apply(GRANT);
      await eventually(
        () => answering(5, "http://echo-v2/"),
        (apps) => apps.includes("echo-v1"),
      );
      await eventually(
        () => conditions("httproute", "far"),
        (reasons) => reasons === "Accepted ResolvedRefs",
      );
    });
  });
}

function backend(name: string, port: number, weight = 1): object {
  return { name, port, weight };
}

/** A route of the mesh tests' namespace with one rule. */
function route(kind: string, name: string, service: string, port: number, backendRefs: readonly object[], more: object = {}): string {
  return JSON.stringify({
    apiVersion: `${GATEWAY_API}/v1`,
    kind,
    metadata: { name, namespace: MESH },
    spec: { parentRefs: [{ group: "", kind: "Service", name: service, port }], rules: [{ backendRefs }], ...more },
  });
}

const CONSUMER_ECHO = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "far-echo", namespace: CONSUMER },
  spec: { selector: { app: "echo" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
};

const GRANT = JSON.stringify({
  apiVersion: `${GATEWAY_API}/v1`,
  kind: "ReferenceGrant",
  metadata: { name: "from-mesh", namespace: CONSUMER },
  spec: { from: [{ group: GATEWAY_API, kind: "HTTPRoute", namespace: MESH }], to: [{ group: "", kind: "Service", name: "far-echo" }] },
});
