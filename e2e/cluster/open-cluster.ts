/**
 * The cluster that end-to-end tests use: one on this machine that was booted already and is named in SEAWALL_E2E_CLUSTER,
 * else the one that KUBECONFIG names, else one booted for the asker.
 */
import { type Cluster, ClusterCommands } from "./cluster.ts";
import { type BootOptions, bootCluster } from "./node.ts";
import { RunningNode } from "./running-node.ts";

/** {@link Cluster.stop} ends the cluster only where this booted it. */
export async function openCluster(options: BootOptions = {}, environment: NodeJS.ProcessEnv = process.env): Promise<Cluster> {
  const name = environment["SEAWALL_E2E_CLUSTER"];
  if (name) {
    const node = new RunningNode(name);
    if (!node.isThere) throw new Error(`no cluster ${name} runs here: node e2e/cluster/boot.ts --name ${name}`);
    return node;
  }
  const { KUBECONFIG: kubeconfig = "" } = environment;
  return isForeignCluster(environment) ? new ForeignCluster(kubeconfig) : bootCluster(options);
}

/** Whether {@link openCluster} gives a cluster of somebody else's: its API server and its network are not ours to touch. */
export function isForeignCluster(environment: NodeJS.ProcessEnv = process.env): boolean {
  return !environment["SEAWALL_E2E_CLUSTER"] && Boolean(environment["KUBECONFIG"]);
}

/** kind, minikube, a cloud: reached from here as it is. Its images and its API server are its owner's. */
class ForeignCluster extends ClusterCommands implements Cluster {
  constructor(kubeconfig: string) {
    super([], kubeconfig);
  }

  importImage(archive: string): Promise<void> {
    console.error(`make sure that the cluster has the image of ${archive}, for example with: kind load image-archive`);
    return Promise.resolve();
  }
  stopApiServer(): Promise<void> {
    return Promise.reject(new Error(NOT_OURS));
  }
  startApiServer(): Promise<void> {
    return Promise.reject(new Error(NOT_OURS));
  }
  restartApiServer(): Promise<void> {
    return Promise.reject(new Error(NOT_OURS));
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

const NOT_OURS = "the API server of a cluster that was there before is not ours to end";
