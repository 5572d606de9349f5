/** Finds the API server that is meant, and connects to it. */
import type { KubernetesApi } from "./api.ts";
import { type ClusterAccess, ClusterAccessError } from "./cluster-access.ts";
import { HttpKubernetesApi, type HttpApiOptions } from "./http-api.ts";
import { inClusterAccess } from "./in-cluster.ts";
import { kubeconfigAccess, kubeconfigFiles } from "./kubeconfig.ts";

export interface ClusterChoice {
  /** A kubeconfig's path. */
  readonly kubeconfig?: string;
  /** A context of the kubeconfig; its current one unless given. */
  readonly context?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface KubernetesConnection {
  readonly api: KubernetesApi;
  readonly access: ClusterAccess;
  /** The namespace that is meant where none is named. */
  readonly namespace: string;
  readonly close: () => void;
}

/**
 * Takes the kubeconfig that is named, else those of KUBECONFIG, else the pod's own service account, else the kubeconfig in the
 * home folder. Rejects with a {@link ClusterAccessError} where none of them can be used; asks the server for nothing yet.
 */
export async function connectKubernetes(choice: ClusterChoice = {}, options: HttpApiOptions = {}): Promise<KubernetesConnection> {
  const access = await findClusterAccess(choice);
  const api = new HttpKubernetesApi(access, options);
  return { api, access, namespace: access.namespace, close: () => api.close() };
}

async function findClusterAccess({ kubeconfig, context, environment = process.env }: ClusterChoice): Promise<ClusterAccess> {
  const chosen = context === undefined ? {} : { context };
  if (kubeconfig !== undefined) return kubeconfigAccess({ files: [kubeconfig], ...chosen });
  const { files, named } = kubeconfigFiles(environment);
  if (named) return kubeconfigAccess({ files, ...chosen });
  const own = context === undefined ? inClusterAccess(environment) : undefined;
  if (own !== undefined) return own;
  try {
    return await kubeconfigAccess({ files, ...chosen });
  } catch (error) {
    if (!(error instanceof ClusterAccessError) || error.code !== "KubeconfigNotFound") throw error;
    const message = `no cluster is configured: name a kubeconfig with --kubeconfig or KUBECONFIG (${files.join(" and ")} does not exist)`;
    throw new ClusterAccessError("NoCluster", message, error);
  }
}
