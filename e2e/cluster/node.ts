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
import { apiServerCommand, etcdCommand, etcdUrl } from "./api-server-command.ts";
import { ADMIN, type KnownUser, kubeconfig, knownUser, writeApiServerFiles } from "./api-server-files.ts";
import { type Cluster, ClusterCommands, type Outcome } from "./cluster.ts";
import { clusterDns } from "./dns-service.ts";
import { type Traces, controlGroupFolders, removeTraces } from "./leftovers.ts";
import { NODE_IPV4, NetworkNamespace, SERVICE_RANGES } from "./network.ts";
import { type NodeFolders, nodeFolders, writeNodeFiles } from "./node-files.ts";
import { COMPONENTS, COMPONENT_NAMES, type Component, NODE_NAME, componentCommand, containerdCommand } from "./node-programs.ts";
import { Program } from "./process.ts";

export interface BootOptions {
  /** Lower-case letters and dashes; clusters of different names run beside each other. */
  readonly name?: string;
  /** Appended to kube-apiserver's arguments. */
  readonly apiServerArguments?: readonly string[];
  /** Told what is being done. */
  readonly progress?: (line: string) => void;
}

const ETCD_PORTS = { client: 2379, peer: 2380 };
const API_SERVER_PORT = 6443;
const FOLDERS = "/var/lib/seawall-e2e";

/** Boots a cluster and resolves when its node is ready and pods can be made. Throws with the last words of what failed. */
export async function bootCluster(options: BootOptions = {}): Promise<Cluster> {
  if (process.getuid?.() !== 0) throw new Error("a node needs root: run this as root, or name a cluster that exists in KUBECONFIG");
  const name = options.name ?? "e2e";
  const node = new Node(name, options);
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

function tracesOf(name: string): Traces {
  const full = `seawall-${name}`;
  return { namespace: new NetworkNamespace(full), controlGroup: `/${full}`, networkName: full, folder: join(FOLDERS, name) };
}

class Node implements Cluster {
  readonly #traces: Traces;
  readonly #options: BootOptions;
  readonly #folders: NodeFolders;
  readonly #commands: ClusterCommands;
  readonly #programs = new Map<string, Program>();

  constructor(name: string, options: BootOptions) {
    this.#traces = tracesOf(name);
    this.#options = options;
    this.#folders = nodeFolders(this.#traces.folder);
    this.#commands = new ClusterCommands(this.#traces.namespace.prefix, join(this.#folders.root, "kubeconfig"));
  }

  get kubeconfig(): string {
    return this.#commands.kubeconfig;
  }
  get prefix(): readonly string[] {
    return this.#commands.prefix;
  }
  run: Cluster["run"] = (command, options) => this.#commands.run(command, options);
  start: Cluster["start"] = (command) => this.#commands.start(command);
  kubectl: Cluster["kubectl"] = (...args) => this.#commands.kubectl(...args);
  apply: Cluster["apply"] = (manifest) => this.#commands.apply(manifest);
  helm: Cluster["helm"] = (...args) => this.#commands.helm(...args);

  async boot(): Promise<void> {
    this.#say("removing what was left behind ...");
    await removeTraces(this.#traces);
    this.#traces.namespace.create();
    for (const group of controlGroupFolders(this.#traces.controlGroup)) mkdirSync(group, { recursive: true });
    await mkdir(this.#folders.root, { recursive: true, mode: 0o700 });
    const users = {
      admin: knownUser(ADMIN.name, ADMIN.group),
      ...(Object.fromEntries(
        COMPONENT_NAMES.map((component) => {
          const [user, ...groups] = COMPONENTS[component];
          return [component, knownUser(user, ...groups)];
        }),
      ) as Record<Component, KnownUser>),
    };
    const apiServerFiles = await writeApiServerFiles(this.#folders.root, Object.values(users));
    const files = await writeNodeFiles({
      folders: this.#folders,
      controlGroup: this.#traces.controlGroup,
      networkName: this.#traces.networkName,
      pauseImage: "localhost/pause:1",
      dnsKubeconfig: this.#kubeconfigOf("coredns"),
    });

    this.#say("starting etcd and kube-apiserver ...");
    this.#start("etcd", etcdCommand(this.#folders.root, ETCD_PORTS));
    const apiServer = this.#start(
      "kube-apiserver",
      apiServerCommand({
        files: apiServerFiles,
        etcd: etcdUrl(ETCD_PORTS),
        address: NODE_IPV4,
        port: API_SERVER_PORT,
        serviceRange: `${SERVICE_RANGES.ipv4},${SERVICE_RANGES.ipv6}`,
        extraArguments: ["--kubelet-preferred-address-types=InternalIP", ...(this.#options.apiServerArguments ?? [])],
      }),
    );
    const apiServerCertificate = join(apiServerFiles.certificates, "apiserver.crt");
    await apiServer.until("kube-apiserver has a certificate", () => Promise.resolve(existsSync(apiServerCertificate)));
    const caPem = await readFile(apiServerCertificate, "utf8");
    const url = `https://${NODE_IPV4}:${API_SERVER_PORT}`;
    await writeFile(this.kubeconfig, kubeconfig({ url, caPem, token: users.admin.token }), { mode: 0o600 });
    for (const component of COMPONENT_NAMES) {
      await writeFile(this.#kubeconfigOf(component), kubeconfig({ url, caPem, token: users[component].token }), { mode: 0o600 });
    }
    const containerd = this.#start("containerd", containerdCommand(files));
    await this.#apiServerReady();

    this.#say("starting the node ...");
    await containerd.until("containerd answers", async () => (await this.#ctr("version")).status === 0);
    await this.importImage(await buildNamed("pause"));
    for (const component of COMPONENT_NAMES) {
      this.#start(
        component,
        componentCommand(component, {
          kubeconfig: (of) => this.#kubeconfigOf(of),
          serviceAccountKey: apiServerFiles.serviceAccountKey,
          apiServerCertificate,
          files,
          folders: this.#folders,
        }),
      );
    }
    await this.apply(clusterDns());
    const kubelet = this.#program("kubelet");
    await kubelet.until("the node is there", async () => (await this.#kubectlOutcome("get", "node", NODE_NAME)).status === 0);
    await this.kubectl("wait", "--for=condition=Ready", `node/${NODE_NAME}`, "--timeout=90s");
    // Without these two, the first pod of a test would be refused or wait.
    await this.#until("serviceaccount", "default");
    await this.#until("configmap", "kube-root-ca.crt");
    this.#say("the cluster is ready");
  }

  async importImage(archive: string): Promise<void> {
    const { status, stderr } = await this.#ctr("--namespace", "k8s.io", "images", "import", archive);
    if (status !== 0) throw new Error(`containerd did not take ${archive}: ${stderr.trim()}`);
  }

  async restartApiServer(): Promise<void> {
    const apiServer = this.#program("kube-apiserver");
    await apiServer.stop("SIGKILL");
    apiServer.start();
    await this.#apiServerReady();
  }

  async stop(): Promise<void> {
    // The kubelet first: it would start again what is ended.
    for (const name of ["kubelet", ...this.#programs.keys()]) await this.#programs.get(name)?.stop("SIGKILL");
    await removeTraces(this.#traces);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #start(name: string, command: readonly string[]): Program {
    const [first, ...rest] = [...this.prefix, ...command];
    const program = new Program({ name, command: [first ?? name, ...rest], logFolder: this.#folders.logs });
    this.#programs.set(name, program);
    program.start();
    return program;
  }

  #program(name: string): Program {
    const program = this.#programs.get(name);
    if (!program) throw new Error(`${name} was not started`);
    return program;
  }

  #kubeconfigOf(component: Component): string {
    return join(this.#folders.root, `${component}.kubeconfig`);
  }

  async #apiServerReady(): Promise<void> {
    await this.#program("kube-apiserver").until(
      "kube-apiserver is ready",
      async () => (await this.#kubectlOutcome("get", "--raw", "/readyz")).status === 0,
    );
  }

  #kubectlOutcome(...args: string[]): Promise<Outcome> {
    return this.run([clusterProgram("kubectl"), ...args], { timeoutMs: 10_000 });
  }

  async #until(kind: string, name: string): Promise<void> {
    const controllers = this.#program("kube-controller-manager");
    await controllers.until(`${kind} ${name} is there`, async () => (await this.#kubectlOutcome("get", kind, name)).status === 0);
  }

  #ctr(...args: string[]): Promise<Outcome> {
    return this.run(["ctr", "--address", this.#folders.containerdSocket, ...args]);
  }

  #say(line: string): void {
    this.#options.progress?.(line);
  }
}
