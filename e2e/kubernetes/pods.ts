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
export function pods(stage: Pick<Stage, "cluster" | "seawall">): void {
  const create = (object: object): Promise<Outcome> => stage.cluster.run(["kubectl", "create", "-f", "-"], { input: documents(object) });
  const made = async (object: object): Promise<void> => {
    const { status, stderr } = await create(object);
    expect({ status, stderr }).toMatchObject({ status: 0 });
  };
  const ready = (name: string): Promise<string> =>
    stage.cluster.kubectl("wait", "-n", NAMESPACE, `pod/${name}`, "--for=condition=Ready", "--timeout=180s");
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
      await made(
        pod("probed", { terminationGracePeriodSeconds: 30, initContainers: [node("before", ASK_READINESS), own], containers: [app] }),
      );
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
      await stage.cluster.kubectl("wait", "-n", NAMESPACE, "ap/itself", "--for=condition=Programmed", "--timeout=180s");
      const call = (path: string): Promise<string> => inPod("probed", NAMESPACE, "curl", "-s", "-m", "30", `http://itself${path}`);
      await eventually(
        () => call("/mine"),
        (answer) => answer === "served /mine",
      );
      expect(await call("/yours")).not.toContain("served");
    });

    it("is asked by its own hook to end, by way of its sidecar", async () => {
      const following = stage.cluster.start(["kubectl", "logs", "-n", NAMESPACE, "probed", "-c", "app", "--follow"]);
      let log = "";
      following.stdout?.on("data", (data: Buffer) => (log += data.toString()));
      const said = (words: string): Promise<unknown> =>
        eventually(
          () => Promise.resolve(log),
          (lines) => lines.includes(words),
        );
      await said("/live named.example");
      await stage.cluster.kubectl("delete", "pod", "-n", NAMESPACE, "probed");
      await said("/stop ");
    });

    it("is not taken for well by its sidecar when its application is not", async () => {
      const refusing = SERVER.replace("response.end(", "response.statusCode = 503; response.end(");
      const containers = [
        node("app", refusing, { readinessProbe: { httpGet: { path: "/ready", port: 8080 }, periodSeconds: 1 } }),
        node("deaf", "setInterval(() => undefined, 1000)", {
          startupProbe: { tcpSocket: { port: 9999 }, periodSeconds: 1, failureThreshold: 3600 },
        }),
      ];
      await made(pod("unwell", { containers }));
      const said = [
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "Startup probe failed: HTTP probe failed with statuscode: 503",
      ];
      await eventually(
        () =>
          stage.cluster.kubectl(
            ...["get", "events", "-n", NAMESPACE, "--field-selector=involvedObject.name=unwell"],
            ...["-o", 'jsonpath={range .items[*]}{.message}{"\\n"}{end}'],
          ),
        (messages) => said.every((words) => messages.includes(words)),
      );
    });

    it("of a Job ends when its work is done", async () => {
      const template = { spec: { restartPolicy: "Never", containers: [node("app", "console.log('done')")] } };
      await made({ apiVersion: "batch/v1", kind: "Job", metadata: { name: "once", namespace: NAMESPACE }, spec: { template } });
      await stage.cluster.kubectl("wait", "-n", NAMESPACE, "job/once", "--for=condition=Complete", "--timeout=180s");
    });

    it("keeps the traffic that it excludes to itself and its peers, and no other", async () => {
      await made(pod("outsider", { containers: [node("app", SERVER)] }, {}, PLAIN));
      await stage.cluster.kubectl("wait", "-n", PLAIN, "pod/outsider", "--for=condition=Ready", "--timeout=180s");
      const addressOf = (name: string, namespace: string): Promise<string> =>
        stage.cluster.kubectl("get", "pod", "-n", namespace, name, "-o", "jsonpath={.status.podIP}");
      const outsider = await addressOf("outsider", PLAIN);
      const excludingPorts = { "seawall.dev/exclude-inbound-ports": "9000", "seawall.dev/exclude-outbound-ports": "9000" };
      const excludingRange = { "seawall.dev/exclude-outbound-cidrs": `${outsider}/32` };
      await made(pod("excluding", { containers: [node("app", SERVER)] }, { annotations: excludingPorts }));
      await made(pod("excluding-range", { containers: [node("app", SERVER)] }, { annotations: excludingRange }));
      await ready("excluding");
      await ready("excluding-range");
      const excluding = await addressOf("excluding", NAMESPACE);
      const program = (port: number, address: string): string =>
        `require("node:net").connect(${port}, "${address}").on("error", () => {}).pipe(process.stdout)`;
      const talk = (from: string, namespace: string, address: string): Promise<string> =>
        eventually(
          () => inPod(from, namespace, "node", "-e", program(9000, address)),
          (heard) => heard === "plain",
        );
      const get = (from: string, namespace: string, address: string): Promise<string> =>
        inPod(from, namespace, "curl", "-s", "-m", "30", `http://${address}:8080/`);
      await talk("outsider", PLAIN, excluding);
      expect(await get("outsider", PLAIN, excluding)).not.toContain("served");
      await talk("excluding", NAMESPACE, outsider);
      expect(await get("excluding", NAMESPACE, outsider)).not.toContain("served");
      await eventually(
        () => get("excluding-range", NAMESPACE, outsider),
        (answer) => answer === "served /",
      );
      expect(await get("excluding-range", NAMESPACE, excluding)).not.toContain("served");
    });

    it("has a sidecar that may do no more than it needs to", async () => {
      const path = "jsonpath={.spec.initContainers[?(@.name=='seawall-proxy')]}";
      const sidecar: unknown = JSON.parse(await stage.cluster.kubectl("get", "pod", "-n", NAMESPACE, "excluding", "-o", path));
      expect(sidecar).toMatchObject({
        restartPolicy: "Always",
        resources: { requests: { cpu: expect.anything() as unknown, memory: expect.anything() as unknown } },
        securityContext: {
          runAsNonRoot: true,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          seccompProfile: { type: "RuntimeDefault" },
        },
      });
      expect(sidecar).not.toHaveProperty("securityContext.capabilities.add");
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
      await made(pod("labelled", { containers: [node("app", "")] }, { labels: { app: "labelled", "seawall.dev/inject": "false" } }));
      for (const name of ["on-the-node", "opted-out", "labelled"]) expect([name, await initContainers(name)]).toEqual([name, ""]);
    });

    it("is refused by Pod Security where nobody may set up a redirect", async () => {
      const labels = { "seawall.dev/injection": "enabled", "pod-security.kubernetes.io/enforce": "baseline" };
      await stage.cluster.apply(documents({ apiVersion: "v1", kind: "Namespace", metadata: { name: "pods-baseline", labels } }));
      const { status, stderr } = await create(pod("app", { containers: [node("app", "")] }, {}, "pods-baseline"));
      expect(status).not.toBe(0);
      expect(stderr).toMatch(/violates PodSecurity "baseline.*seawall-redirect.*NET_ADMIN/s);
    });

    it("goes with its namespace, and nothing of Seawall's holds it back or remembers it", async () => {
      await stage.cluster.kubectl("delete", "namespace", NAMESPACE, PLAIN, "pods-baseline", "--timeout=180s");
      await eventually(
        () => stage.seawall("proxy", "status", "-n", NAMESPACE),
        ({ status, stderr }) => status === 0 && stderr.includes(`there is no pod with a sidecar in ${NAMESPACE}`),
      );
    });
  });
}
