import { type Cluster, ClusterCommands } from "./cluster.ts";
import { type BootOptions, bootCluster } from "./node.ts";

/**
 * The cluster that KUBECONFIG names, which stays as it is when the tests end; or one node that is booted for them. In the
 * former the images must be known to the nodes already, and the API server is not restarted.
 */
export async function openCluster(options: BootOptions = {}): Promise<Cluster> {
  const kubeconfig = process.env["KUBECONFIG"];
  return kubeconfig === undefined || kubeconfig === "" ? bootCluster(options) : new ForeignCluster(kubeconfig);
}

class ForeignCluster extends ClusterCommands implements Cluster {
  constructor(kubeconfig: string) {
    super([], kubeconfig);
  }

  importImage(): Promise<void> {
    return Promise.resolve();
  }

  restartApiServer(): Promise<void> {
    return Promise.reject(new Error("the API server of a cluster that KUBECONFIG names is not ours to restart"));
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
