/** A node that somebody booted on this machine, seen from any process: everything is found by its name. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";
import { type Cluster, ClusterCommands, type Outcome } from "./cluster.ts";
import type { Traces } from "./leftovers.ts";
import { NetworkNamespace } from "./network.ts";
import { type NodeFolders, nodeFolders } from "./node-files.ts";
import { programFiles } from "./process.ts";

const FOLDERS = "/var/lib/seawall-e2e";
const RESTART_MS = 180_000;

export function tracesOf(name: string): Traces {
  const full = `seawall-${name}`;
  return { namespace: new NetworkNamespace(full), controlGroup: `/${full}`, networkName: full, folder: join(FOLDERS, name) };
}

export class RunningNode extends ClusterCommands implements Cluster {
  readonly folders: NodeFolders;

  constructor(name: string) {
    const traces = tracesOf(name);
    super(traces.namespace.prefix, join(traces.folder, "kubeconfig"));
    this.folders = nodeFolders(traces.folder);
  }

  get isThere(): boolean {
    return existsSync(this.kubeconfig);
  }

  async importImage(archive: string): Promise<void> {
    const { status, stderr } = await this.containerd("--namespace", "k8s.io", "images", "import", archive);
    if (status !== 0) throw new Error(`containerd did not take ${archive}: ${stderr.trim()}`);
  }

  /** `ctr`. */
  containerd(...args: string[]): Promise<Outcome> {
    return this.run(["ctr", "--address", this.folders.containerdSocket, ...args]);
  }

  async stopApiServer(): Promise<void> {
    const { hold, pid } = programFiles(this.folders.logs, "kube-apiserver");
    writeFileSync(hold, "");
    const id = Number(readFileSync(pid, "utf8"));
    if (isAlive(id)) process.kill(id, "SIGKILL");
    await until("kube-apiserver has ended", () => Promise.resolve(!isAlive(id)));
  }

  async startApiServer(): Promise<void> {
    rmSync(programFiles(this.folders.logs, "kube-apiserver").hold, { force: true });
    await until("kube-apiserver is ready", () => this.apiServerIsReady());
  }

  async restartApiServer(): Promise<void> {
    await this.stopApiServer();
    await this.startApiServer();
  }

  async apiServerIsReady(): Promise<boolean> {
    return (await this.run([clusterProgram("kubectl"), "get", "--raw", "/readyz"], { timeoutMs: 10_000 })).status === 0;
  }

  /** Who booted it ends it. */
  stop(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + RESTART_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${RESTART_MS / 1000} s`);
    await pause(100);
  }
}
