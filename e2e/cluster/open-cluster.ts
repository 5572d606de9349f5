/**
 * The cluster that end-to-end tests use: one on this machine that was booted already and is named in SEAWALL_E2E_CLUSTER,
 * else the one that KUBECONFIG names, else one booted for the asker.
 */
import type { Cluster } from "./cluster.ts";
import { ForeignCluster } from "./foreign-cluster.ts";
import { type BootOptions, bootCluster } from "./node.ts";
import { RunningNode } from "./running-node.ts";

/** {@link Cluster.stop} ends the cluster only where this booted it; from one of somebody else's it removes what tests made. */
export async function openCluster(options: BootOptions = {}, environment: NodeJS.ProcessEnv = process.env): Promise<Cluster> {
  const name = environment["SEAWALL_E2E_CLUSTER"];
  if (name) {
    const node = new RunningNode(name);
    if (!node.isThere) throw new Error(`no cluster ${name} runs here: node e2e/cluster/boot.ts --name ${name}`);
    return node;
  }
  const { KUBECONFIG: kubeconfig = "" } = environment;
  return isForeignCluster(environment) ? new ForeignCluster(kubeconfig).open() : bootCluster(options);
}

/** Whether {@link openCluster} gives a cluster of somebody else's: its API server and its network are not ours to touch. */
export function isForeignCluster(environment: NodeJS.ProcessEnv = process.env): boolean {
  return !environment["SEAWALL_E2E_CLUSTER"] && Boolean(environment["KUBECONFIG"]);
}
