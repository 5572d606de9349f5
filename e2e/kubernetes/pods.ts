import { describe, expect, it } from "@jest/globals";
import type { Outcome } from "../cluster/cluster.ts";
import { documents, IMAGE } from "./application.ts";
import { eventually } from "./eventually.ts";
import type { Stage } from "./stage.ts";

const NAMESPACE = "pods";
const PLAIN = "pods-outside";

/** Answers on 8080 with what the caller asked and from where; takes connections on 9000. */
const SERVER = `
  require("node:http").createServer((request, response) => {
    console.log(request.url, request.headers.host);
    response.end("served " + request.url);
  }).listen(8080, "::");
  require("node:net").createServer((socket) => socket.end("plain")).listen(9000, "::");
  process.on("SIGTERM", () => process.exit(0));`;

const ASK_READINESS = `
  require("node:http").get("http://127.0.0.1:15021/ready", ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
    .on("error", () => process.exit(1));`;

function node(name: string, program: string, more: object = {}): object {
  return { name, image: IMAGE, imagePullPolicy: "Never", command: ["node", "-e", program], ...more };
}

function pod(name: string, spec: object, metadata: object = {}, namespace = NAMESPACE): object {
  const common = { terminationGracePeriodSeconds: 1, restartPolicy: "Never" };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels: { app: name }, ...metadata }, spec: { ...common, ...spec } };
}

/** What becomes of pods that are unlike the usual Deployment. */
export function pods(stage: Pick<Stage, "cluster">): void {
  const create = (object: object): Promise<Outcome> => stage.cluster.run(["kubectl", "create", "-f", "-"], { input: documents(object) });
  const made = async (object: object): Promise<void> => {
    const { status, stderr } = await create(object);
    expect({ status, stderr }).toMatchObject({ status: 0 });
  };
  const ready = (name: string): Promise<string> =>
    stage.cluster.kubectl("wait", "-n", NAMESPACE, `pod/${name}`, "--for=condition=Ready", "--timeout=60s");
  const initContainers = (name: string): Promise<string> =>
    stage.cluster.kubectl("get", "pod", "-n", NAMESPACE, name, "-o", "jsonpath={.spec.initContainers[*].name}");
  const inPod = async (name: string, namespace: string, ...command: string[]): Promise<string> =>
    (await stage.cluster.run(["kubectl", "exec", "-n", namespace, name, "-c", "app", "--", ...command])).stdout;

  describe("a pod", () => {
    it("has a namespace that is injected, and one that is not", async () => {
      const namespaces = [
        { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels: { "seawall.dev/injection": "enabled" } } },
        { apiVersion: "v1", kind: "Namespace", metadata: { name: PLAIN } },
      ];
      await stage.cluster.apply(documents(...namespaces));
    });

    it("with HTTP and TCP probes, hooks and containers before its own becomes ready, and stays so", async () => {
      const probes = {
        startupProbe: { tcpSocket: { port: 9000 }, periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { httpGet: { path: "/ready?deep=1", port: "http" }, periodSeconds: 1 },
        livenessProbe: {
          httpGet: { path: "/live", port: 8080, httpHeaders: [{ name: "Host", value: "named.example" }] },
          periodSeconds: 1,
        },
        lifecycle: { preStop: { httpGet: { path: "/stop", port: "http" } } },
      };
      const own = node("own-sidecar", SERVER.replaceAll("8080", "8081").replaceAll("9000", "9001"), {
        restartPolicy: "Always",
        startupProbe: { httpGet: { path: "/own", port: 8081 }, periodSeconds: 1, failureThreshold: 60 },
      });
      const app = node("app", SERVER, { ports: [{ name: "http", containerPort: 8080 }], ...probes });
      await made(pod("probed", { initContainers: [node("before", ASK_READINESS), own], containers: [app] }));
      await ready("probed");
      expect(await initContainers("probed")).toBe("seawall-redirect seawall-proxy before own-sidecar");
      const log = await eventually(
        () => stage.cluster.kubectl("logs", "-n", NAMESPACE, "probed", "-c", "app"),
        (lines) => lines.includes("/live"),
      );
      expect(log).toContain("/live named.example");
      expect(log).toContain("/ready?deep=1 ");
      const restarts = "jsonpath={.status.containerStatuses[*].restartCount}{.status.initContainerStatuses[*].restartCount}";
      expect(await stage.cluster.kubectl("get", "pod", "-n", NAMESPACE, "probed", "-o", restarts)).toMatch(/^[0 ]+$/);
    });

    it("meets itself behind its own Service, as its policy says", async () => {
      const policy = {
        apiVersion: "seawall.dev/v1alpha1",
        kind: "AccessPolicy",
        metadata: { name: "itself", namespace: NAMESPACE },
        spec: {
          targetRefs: [{ kind: "Service", name: "itself" }],
          action: "Allow",
          rules: [{ name: "itself", from: [{ serviceAccounts: ["default"] }], to: [{ paths: ["/mine"] }] }],
        },
      };
      const service = {
        apiVersion: "v1",
        kind: "Service",
        // Not the pod's own name, which its /etc/hosts has.
        metadata: { name: "itself", namespace: NAMESPACE },
        spec: { selector: { app: "probed" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
      };
      await stage.cluster.apply(documents(service, policy));
      await stage.cluster.kubectl("wait", "-n", NAMESPACE, "ap/itself", "--for=condition=Programmed", "--timeout=60s");
      const call = (path: string): Promise<string> => inPod("probed", NAMESPACE, "curl", "-s", "-m", "5", `http://itself${path}`);
      await eventually(
        () => call("/mine"),
        (answer) => answer === "served /mine",
      );
      expect(await call("/yours")).not.toContain("served");
    });

    it("of a Job ends when its work is done", async () => {
      const template = { spec: { restartPolicy: "Never", containers: [node("app", "console.log('done')")] } };
      await made({ apiVersion: "batch/v1", kind: "Job", metadata: { name: "once", namespace: NAMESPACE }, spec: { template } });
      await stage.cluster.kubectl("wait", "-n", NAMESPACE, "job/once", "--for=condition=Complete", "--timeout=60s");
    });

    it("keeps the ports that it excludes to itself and its callers", async () => {
      const annotations = { "seawall.dev/exclude-inbound-ports": "9000" };
      await made(pod("excluding", { containers: [node("app", SERVER)] }, { annotations, labels: { app: "excluding" } }));
      await made(pod("outsider", { containers: [node("app", SERVER)] }, {}, PLAIN));
      await ready("excluding");
      await stage.cluster.kubectl("wait", "-n", PLAIN, "pod/outsider", "--for=condition=Ready", "--timeout=60s");
      const address = await stage.cluster.kubectl("get", "pod", "-n", NAMESPACE, "excluding", "-o", "jsonpath={.status.podIP}");
      const ask = (port: number): Promise<string> =>
        inPod(
          "outsider",
          PLAIN,
          "node",
          "-e",
          `require("node:net").connect(${port}, "${address}").on("error", () => {}).pipe(process.stdout)`,
        );
      expect(await ask(9000)).toBe("plain");
      expect(await inPod("outsider", PLAIN, "curl", "-s", "-m", "5", `http://${address}:8080/`)).not.toContain("served");
    });

    it("is refused when it has a container that is named like the sidecar", async () => {
      const { status, stderr } = await create(pod("pretender", { containers: [node("seawall-proxy", SERVER)] }));
      expect(status).not.toBe(0);
      expect(stderr).toContain("Seawall adds a container named seawall-proxy: rename yours");
    });

    it("has no sidecar on the node's network, which is said, or when it asks for none", async () => {
      const host = await create(pod("on-the-node", { hostNetwork: true, containers: [node("app", "")] }));
      expect(host).toMatchObject({ status: 0, stderr: expect.stringContaining("it uses the node's network") });
      await made(pod("opted-out", { containers: [node("app", "")] }, { annotations: { "seawall.dev/inject": "false" } }));
      for (const name of ["on-the-node", "opted-out"]) expect(await initContainers(name)).toBe("");
    });

    it("is refused by Pod Security where nobody may set up a redirect", async () => {
      const labels = { "seawall.dev/injection": "enabled", "pod-security.kubernetes.io/enforce": "baseline" };
      await stage.cluster.apply(documents({ apiVersion: "v1", kind: "Namespace", metadata: { name: "pods-baseline", labels } }));
      const { status, stderr } = await create(pod("app", { containers: [node("app", "")] }, {}, "pods-baseline"));
      expect(status).not.toBe(0);
      expect(stderr).toMatch(/violates PodSecurity "baseline.*seawall-redirect.*NET_ADMIN/s);
    });

    it("goes with its namespace, and nothing of Seawall's holds it back", async () => {
      await stage.cluster.kubectl("delete", "namespace", NAMESPACE, PLAIN, "pods-baseline", "--timeout=120s");
    });
  });
}
