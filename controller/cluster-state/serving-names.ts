/** The DNS names under which a replica of the control plane serves xDS and webhooks, all that a client in the cluster may use. */
export function servingNames(service: string, namespace: string, clusterDomain: string): readonly string[] {
  const inCluster = `${service}.${namespace}.svc`;
  return [inCluster, `${inCluster}.${clusterDomain}`, `${service}.${namespace}`];
}
