/**
 * A real cluster of one node on this machine, as root: etcd, kube-apiserver, controller-manager, scheduler, containerd,
 * kubelet, kube-proxy and CoreDNS, all in one network namespace. Pods have two address families, Services and the DNS work.
 * It has a name: one of the same name that was left behind is removed before the next is booted.
 */
import { existsSync, mkdirSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";
import { buildNamed } from "../../tools/images/build-images.ts";
import { endWithTests } from "../support/endings.ts";
import { type Command, apiServerCommand, etcdCommand, etcdUrl } from "./api-server-command.ts";
import { ADMIN, type ApiServerFiles, kubeconfig, knownUser, writeApiServerFiles } from "./api-server-files.ts";
import type { Cluster } from "./cluster.ts";
import { clusterDns } from "./dns-service.ts";
import { type Traces, controlGroupFolders, removeTraces } from "./leftovers.ts";
import { NODE_IPV4, SERVICE_RANGES } from "./network.ts";
import { type NodeFiles, writeNodeFiles } from "./node-files.ts";
import { COMPONENTS, COMPONENT_NAMES, type Component, NODE_NAME, componentCommand, containerdCommand } from "./node-programs.ts";
import { Program } from "./process.ts";
import { RunningNode, tracesOf } from "./running-node.ts";

export interface BootOptions {
  /** Lower-case letters and dashes; clusters of different names run beside each other. */
  readonly name?: string;
  /** Appended to kube-apiserver's arguments. */
  readonly apiServerArguments?: readonly string[];
  /** Told what is being done. */
  readonly progress?: (line: string) => void;
}

const ETCD = { address: "127.0.0.1", client: 2379, peer: 2380 };
const API_SERVER_PORT = 6443;

/** Boots a cluster and resolves when its node is ready and pods can be made. Throws with the last words of what failed. */
export async function bootCluster(options: BootOptions = {}): Promise<Cluster> {
  if (process.getuid?.() !== 0) throw new Error("a node needs root: run this as root, or name a cluster that exists in KUBECONFIG");
  const node = new BootedNode(options.name ?? "e2e", options);
  const forget = endWithTests(() => node.stop());
  try {
    await node.boot();
  } catch (error) {
    forget();
    await node.stop();
    throw error;
  }
  return node;
}

class BootedNode extends RunningNode {
  readonly #traces: Traces;
  readonly #options: BootOptions;
  readonly #programs = new Map<string, Program>();

  constructor(name: string, options: BootOptions) {
    super(name);
    this.#traces = tracesOf(name);
    this.#options = options;
  }

  async boot(): Promise<void> {
    this.#say("removing what was left behind ...");
    await removeTraces(this.#traces);
    this.#traces.namespace.create();
    for (const group of controlGroupFolders(this.#traces.controlGroup)) mkdirSync(group, { recursive: true });
    await mkdir(this.folders.root, { recursive: true, mode: 0o700 });
    const files = await writeNodeFiles({
      folders: this.folders,
      controlGroup: this.#traces.controlGroup,
      networkName: this.#traces.networkName,
      pauseImage: "localhost/pause:1",
      dnsKubeconfig: this.#kubeconfigOf("coredns"),
    });
    this.#say("starting etcd and kube-apiserver ...");
    const containerd = this.#start("containerd", containerdCommand(files));
    const apiServerFiles = await this.#startApiServer();
    this.#say("starting the node ...");
    await containerd.until("containerd answers", async () => (await this.containerd("version")).status === 0);
    await this.importImage(await buildNamed("pause"));
    await this.#startComponents(apiServerFiles, files);
    // As a service manager would; not before, so that a program that cannot start is seen.
    for (const program of this.#programs.values()) program.keepAlive();
    this.#say("the cluster is ready");
  }

  override async stop(): Promise<void> {
    // The kubelet first: it would start again what is ended.
    for (const name of ["kubelet", ...this.#programs.keys()]) await this.#programs.get(name)?.stop("SIGKILL");
    await removeTraces(this.#traces);
  }

  async #startApiServer(): Promise<ApiServerFiles> {
    const admin = knownUser(ADMIN.name, ADMIN.group);
    const components = COMPONENT_NAMES.map((component) => {
      const [user, ...groups] = COMPONENTS[component];
      return { component, user: knownUser(user, ...groups) };
    });
    const files = await writeApiServerFiles(this.folders.root, [admin, ...components.map(({ user }) => user)]);
    this.#start("etcd", etcdCommand(this.folders.root, ETCD));
    const apiServer = this.#start(
      "kube-apiserver",
      apiServerCommand({
        files,
        etcd: etcdUrl(ETCD),
        address: NODE_IPV4,
        port: API_SERVER_PORT,
        serviceRange: `${SERVICE_RANGES.ipv4},${SERVICE_RANGES.ipv6}`,
        extraArguments: ["--kubelet-preferred-address-types=InternalIP", ...(this.#options.apiServerArguments ?? [])],
      }),
    );
    const certificate = certificateOf(files);
    await apiServer.until("kube-apiserver has a certificate", () => Promise.resolve(existsSync(certificate)));
    const server = { url: `https://${NODE_IPV4}:${API_SERVER_PORT}`, caPem: await readFile(certificate, "utf8") };
    await writeFile(this.kubeconfig, kubeconfig({ ...server, token: admin.token }), { mode: 0o600 });
    for (const { component, user } of components) {
      await writeFile(this.#kubeconfigOf(component), kubeconfig({ ...server, token: user.token }), { mode: 0o600 });
    }
    await apiServer.until("kube-apiserver is ready", () => this.apiServerIsReady());
    return files;
  }

  async #startComponents(apiServerFiles: ApiServerFiles, files: NodeFiles): Promise<void> {
    for (const component of COMPONENT_NAMES) {
      const command = componentCommand(component, {
        kubeconfig: (of) => this.#kubeconfigOf(of),
        serviceAccountKey: apiServerFiles.serviceAccountKey,
        apiServerCertificate: certificateOf(apiServerFiles),
        files,
        folders: this.folders,
      });
      this.#start(component, command);
    }
    await this.apply(clusterDns());
    await this.#until("kubelet", "node", NODE_NAME);
    await this.kubectl("wait", "--for=condition=Ready", `node/${NODE_NAME}`, "--timeout=180s");
    // Without these two, the first pod of a test would be refused or wait.
    await this.#until("kube-controller-manager", "serviceaccount", "default");
    await this.#until("kube-controller-manager", "configmap", "kube-root-ca.crt");
  }

  #start(name: string, command: Command): Program {
    const [first, ...rest] = [...this.prefix, ...command];
    const program = new Program({ name, command: [first ?? name, ...rest], logFolder: this.folders.logs });
    this.#programs.set(name, program);
    program.start();
    return program;
  }

  /** Waits for an object that `maker` makes. */
  async #until(maker: Component, kind: string, name: string): Promise<void> {
    const isThere = async (): Promise<boolean> =>
      (await this.run([clusterProgram("kubectl"), "get", kind, name], { timeoutMs: 10_000 })).status === 0;
    await this.#programs.get(maker)?.until(`${kind} ${name} is there`, isThere);
  }

  #kubeconfigOf(component: Component): string {
    return join(this.folders.root, `${component}.kubeconfig`);
  }

  #say(line: string): void {
    this.#options.progress?.(line);
  }
}

function certificateOf(files: ApiServerFiles): string {
  return join(files.certificates, "apiserver.crt");
}
