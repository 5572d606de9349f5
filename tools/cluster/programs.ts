/** The programs that a real cluster is made of, and which of them a purpose needs. */
import type { CLUSTER_MODULES } from "../versions.ts";

export type ClusterModule = keyof typeof CLUSTER_MODULES;

/** `api-server`: etcd, kube-apiserver and kubectl; `chart`: what reads a chart; `node`: all that boots pods. */
export type ToolSet = "api-server" | "chart" | "node";
export const TOOL_SETS: readonly ToolSet[] = ["api-server", "chart", "node"];

export interface BuiltProgram {
  readonly name: string;
  readonly module: ClusterModule;
  /** What `go build` is given inside the module's folder. */
  readonly package: string;
  readonly sets: readonly ToolSet[];
}

const kubernetes = (name: string, ...sets: ToolSet[]): BuiltProgram => ({
  name,
  module: "kubernetes",
  package: `k8s.io/kubernetes/cmd/${name}`,
  sets,
});

/** Built from Go modules; in the order in which they are wanted first. */
export const BUILT_PROGRAMS: readonly BuiltProgram[] = [
  { name: "etcd", module: "etcd", package: ".", sets: ["api-server", "node"] },
  kubernetes("kube-apiserver", "api-server", "node"),
  kubernetes("kubectl", "api-server", "chart", "node"),
  kubernetes("kube-controller-manager", "node"),
  kubernetes("kube-scheduler", "node"),
  kubernetes("kubelet", "node"),
  kubernetes("kube-proxy", "node"),
  { name: "helm", module: "helm", package: "helm.sh/helm/v3/cmd/helm", sets: ["chart", "node"] },
  { name: "coredns", module: "coredns", package: ".", sets: ["node"] },
];

export interface PackagedProgram {
  /** The file whose absence means that the package is missing. */
  readonly file: string;
  readonly package: string;
}

/** What a node takes from the operating system: the file that shows it, and Debian's package. */
export const PACKAGED_PROGRAMS: readonly PackagedProgram[] = [
  { file: "/usr/bin/containerd", package: "containerd" },
  { file: "/usr/sbin/runc", package: "runc" },
  { file: "/usr/lib/cni/bridge", package: "containernetworking-plugins" },
  { file: "/usr/sbin/nft", package: "nftables" },
  { file: "/bin/ip", package: "iproute2" },
  { file: "/bin/mount", package: "mount" },
  { file: "/sbin/sysctl", package: "procps" },
  { file: "/usr/bin/nsenter", package: "util-linux" },
  { file: "/usr/bin/tcpdump", package: "tcpdump" },
  { file: "/bin/busybox", package: "busybox-static" },
  { file: "/usr/bin/curl", package: "curl" },
  { file: "/usr/share/zoneinfo/UTC", package: "tzdata" },
];
