import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buildNamed } from "../../tools/images/build-images.ts";
import type { Cluster } from "./cluster.ts";
import { controlGroupFolders } from "./leftovers.ts";
import { bootCluster } from "./node.ts";
import { tracesOf } from "./running-node.ts";

const NAME = "selftest";
const CNI_RESULTS = "/var/lib/cni/results";

const POD = `
apiVersion: v1
kind: Pod
metadata: { name: server, labels: { app: server } }
spec:
  containers:
    - name: app
      image: localhost/app:1
      imagePullPolicy: Never
      command: [node, -e, "require('http').createServer((q,s)=>s.end('hello '+(q.socket.remoteAddress.startsWith('::ffff:')?'IPv4':'IPv6'))).listen(8080,'::')"]
      readinessProbe: { tcpSocket: { port: 8080 } }
---
apiVersion: v1
kind: Service
metadata: { name: server }
spec: { ipFamilyPolicy: PreferDualStack, selector: { app: server }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: client }
spec: { containers: [{ name: app, image: "localhost/app:1", imagePullPolicy: Never }] }
`;

/** Files of the cluster's containers that no setting moves into its folder: shims' sockets, and what the CNI library remembers. */
function outerFiles(): readonly string[] {
  const tasks = join(tracesOf(NAME).folder, "containerd-state", "io.containerd.runtime.v2.task", "k8s.io");
  const ids = readdirSync(tasks);
  const sockets = ids.map((id) => readFileSync(join(tasks, id, "address"), "utf8").replace("unix://", ""));
  const remembered = readdirSync(CNI_RESULTS).filter((name) => ids.some((id) => name.includes(id)));
  return [...sockets, ...remembered.map((name) => join(CNI_RESULTS, name))];
}

/** What there is of the cluster on this machine. */
function traces(): readonly string[] {
  const { namespace, folder, controlGroup } = tracesOf(NAME);
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(`${folder}/`));
  const processes = spawnSync("pgrep", ["--full", `${folder}/`], { encoding: "utf8" })
    .stdout.split("\n")
    .filter(Boolean);
  return [...[namespace.path, folder, ...controlGroupFolders(controlGroup)].filter((path) => existsSync(path)), ...mounts, ...processes];
}

/** Boots in a process of its own and resolves when it says that the cluster is ready. */
async function bootElsewhere(): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "boot.ts"), "--name", NAME], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for await (const line of createInterface({ input: child.stdout })) if (line.includes("kubectl get pods")) break;
  return async () => {
    child.kill("SIGKILL");
    await ended;
  };
}

describe("a node on this machine", () => {
  let cluster: Cluster;
  let leftBehind: readonly string[] = [];

  beforeAll(async () => {
    const kill = await bootElsewhere();
    await kill();
    leftBehind = traces();
    cluster = await bootCluster({ name: NAME });
    await cluster.importImage(await buildNamed("app"));
    await cluster.apply(POD);
    await cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s");
  }, 300_000);

  afterAll(() => cluster.stop());

  // A container that has started does not listen yet.
  const patiently = ["--retry", "30", "--retry-connrefused", "--retry-delay", "1", "--max-time", "10"];
  const ask = (...args: string[]): Promise<string> =>
    cluster.kubectl("exec", "client", "--", "curl", "--silent", "--fail", ...patiently, ...args);

  it("boots where one that was killed has left its traces", () => {
    expect(leftBehind).not.toEqual([]);
  });

  it("finds a Service by name, over IPv4 and IPv6", async () => {
    const url = "http://server.default.svc.cluster.local/";
    expect(await ask("--ipv4", url)).toBe("hello IPv4");
    const addresses = await cluster.kubectl("get", "service", "server", "-o", "jsonpath={.spec.clusterIPs[1]}");
    expect(await ask("--globoff", `http://[${addresses}]/`)).toBe("hello IPv6");
    expect(await ask("--ipv6", url)).toBe("hello IPv6");
  });

  it("keeps its objects and its pods when kube-apiserver is killed", async () => {
    await cluster.stopApiServer();
    expect((await cluster.run(["kubectl", "get", "pods"], { timeoutMs: 10_000 })).status).not.toBe(0);
    await cluster.startApiServer();
    expect(await ask("http://server/")).toContain("hello");
  });

  it("forwards a port of a pod", async () => {
    const forward = cluster.start(["kubectl", "port-forward", "pod/server", "18080:8080"]);
    for await (const line of createInterface({ input: forward.stdout! })) if (line.startsWith("Forwarding")) break;
    const { stdout } = await cluster.run(["curl", "--silent", "http://127.0.0.1:18080/"]);
    forward.kill();
    expect(stdout).toContain("hello");
  });

  it("leaves nothing on the machine's own network, and nothing at all when it ends", async () => {
    expect(spawnSync("ip", ["address"], { encoding: "utf8" }).stdout).not.toContain("192.0.2.10");
    expect(statSync(tracesOf(NAME).namespace.path).ino).not.toBe(statSync("/proc/self/ns/net").ino);
    const outer = outerFiles();
    expect(outer.filter((path) => existsSync(path)).length).toBeGreaterThanOrEqual(2);
    await cluster.stop();
    expect(traces()).toEqual([]);
    expect(outer.filter((path) => existsSync(path))).toEqual([]);
  });
});
