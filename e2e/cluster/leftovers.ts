/** What a node leaves when it is ended, in whatever way: processes, mounts, control groups, a namespace, a folder. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { NetworkNamespace } from "./network.ts";
import { nodeFolders } from "./node-files.ts";

const CONTROL_GROUPS = "/sys/fs/cgroup";

export interface Traces {
  readonly namespace: NetworkNamespace;
  /** Such as `/seawall-e2e`, below each hierarchy. */
  readonly controlGroup: string;
  readonly networkName: string;
  readonly folder: string;
}

/** The folders that make up a control group: one on a machine with the unified hierarchy, else one per controller. */
export function controlGroupFolders(controlGroup: string): readonly string[] {
  if (existsSync(join(CONTROL_GROUPS, "cgroup.controllers"))) return [join(CONTROL_GROUPS, controlGroup)];
  return readdirSync(CONTROL_GROUPS).map((hierarchy) => join(CONTROL_GROUPS, hierarchy, controlGroup));
}

/** Removes every trace, and ends only processes in the node's own namespace and control group. Harmless when there is none. */
export async function removeTraces(traces: Traces): Promise<void> {
  // A process may start another while we look: until there is none.
  for (let processes = processesOf(traces); processes.length > 0; processes = processesOf(traces)) {
    for (const id of processes) kill(id);
    await pause(50);
  }
  removeContainerFiles(traces);
  for (const folder of controlGroupFolders(traces.controlGroup)) await removeControlGroup(folder);
  unmountBelow(traces.folder);
  traces.namespace.remove();
  rmSync(traces.folder, { recursive: true, force: true });
}

function processesOf({ namespace, controlGroup }: Traces): readonly number[] {
  const inGroup = controlGroupFolders(controlGroup).flatMap(processesBelow);
  const inNamespace = namespace.exists ? processesIn(statSync(namespace.path).ino) : [];
  return [...new Set([...inGroup, ...inNamespace])].filter((id) => id !== process.pid);
}

function processesBelow(group: string): readonly number[] {
  if (!existsSync(group)) return [];
  const own = readFileSync(join(group, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  return [...own, ...subfolders(group).flatMap(processesBelow)];
}

function processesIn(networkNamespace: number): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((id) => {
      try {
        return statSync(`/proc/${id}/ns/net`).ino === networkNamespace;
      } catch {
        return false;
      }
    });
}

function kill(id: number): void {
  try {
    process.kill(id, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}

/** The kernel takes a moment to see that a group's last process has ended. */
async function removeControlGroup(group: string): Promise<void> {
  if (!existsSync(group)) return;
  for (const folder of subfolders(group)) await removeControlGroup(folder);
  for (let attempt = 1; ; attempt += 1) {
    try {
      rmdirSync(group);
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await pause(50);
    }
  }
}

function subfolders(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(folder, entry.name));
}

/** The deepest first. */
function unmountBelow(folder: string): void {
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[1] ?? [])
    .filter((point) => point.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
  for (const point of points) spawnSync("umount", ["--lazy", point]);
}

/**
 * What containerd keeps outside the folders that it was given: the sockets of its shims, and what the CNI library remembers
 * of pods that nobody removed. Other containers of this machine have such files there too.
 */
function removeContainerFiles({ folder, networkName }: Traces): void {
  const tasks = join(nodeFolders(folder).containerdState, "io.containerd.runtime.v2.task", "k8s.io");
  for (const address of entriesOf(tasks).map((id) => join(tasks, id, "address"))) {
    if (existsSync(address)) rmSync(readFileSync(address, "utf8").replace(/^unix:\/\//, ""), { force: true });
  }
  const results = "/var/lib/cni/results";
  const sandboxes = entriesOf(results).flatMap((name) => new RegExp(`^${networkName}-([0-9a-f]{64})-`).exec(name)?.[1] ?? []);
  for (const name of entriesOf(results)) if (sandboxes.some((id) => name.includes(id))) rmSync(join(results, name));
}

function entriesOf(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
