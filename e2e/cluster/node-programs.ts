/** How the programs of a node are started; each is somebody of its own before the API server. */
import { join } from "node:path";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";
import type { Command } from "./api-server-command.ts";
import { NODE_IPV4, NODE_IPV6, POD_RANGES } from "./network.ts";
import type { NodeFiles, NodeFolders } from "./node-files.ts";

export const NODE_NAME = "node";

/** Who the node's programs are, as RBAC's own bindings know them. */
export const COMPONENTS = {
  "kube-controller-manager": ["system:kube-controller-manager"],
  "kube-scheduler": ["system:kube-scheduler"],
  kubelet: [`system:node:${NODE_NAME}`, "system:nodes"],
  "kube-proxy": ["system:kube-proxy"],
  // It only reads what the DNS shows; RBAC has no role for it where no add-on is installed.
  coredns: ["seawall-e2e:coredns", "system:masters"],
} as const;
export type Component = keyof typeof COMPONENTS;
export const COMPONENT_NAMES = Object.keys(COMPONENTS) as readonly Component[];

export interface ComponentOptions {
  readonly kubeconfig: (component: Component) => string;
  readonly serviceAccountKey: string;
  /** What pods find as the API server's certificate authority. */
  readonly apiServerCertificate: string;
  readonly files: NodeFiles;
  readonly folders: NodeFolders;
}

export function componentCommand(component: Component, options: ComponentOptions): Command {
  const program = clusterProgram(component);
  const kubeconfig = `--kubeconfig=${options.kubeconfig(component)}`;
  const pods = `${POD_RANGES.ipv4},${POD_RANGES.ipv6}`;
  switch (component) {
    case "kube-controller-manager":
      return [
        ...([program, kubeconfig, "--leader-elect=false", "--use-service-account-credentials=true"] as const),
        ...[`--service-account-private-key-file=${options.serviceAccountKey}`, `--root-ca-file=${options.apiServerCertificate}`],
        ...["--allocate-node-cidrs=false", `--cluster-cidr=${pods}`],
        `--flex-volume-plugin-dir=${join(options.folders.root, "volume-plugins")}`,
      ];
    case "kube-scheduler":
      return [program, kubeconfig, "--leader-elect=false"];
    case "kubelet":
      return [
        ...([program, kubeconfig, `--config=${options.files.kubeletConfig}`, `--root-dir=${options.folders.kubelet}`] as const),
        ...[
          `--cert-dir=${join(options.folders.kubelet, "pki")}`,
          `--hostname-override=${NODE_NAME}`,
          `--node-ip=${NODE_IPV4},${NODE_IPV6}`,
        ],
      ];
    case "kube-proxy":
      return [
        ...([program, kubeconfig, "--proxy-mode=nftables", `--hostname-override=${NODE_NAME}`, `--cluster-cidr=${pods}`] as const),
        // The connection table's limits belong to the machine; asked to set them, kube-proxy dies and Services silently do not work.
        ...["--conntrack-max-per-core=0", "--conntrack-min=0"],
        ...["--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"],
      ];
    case "coredns":
      return [program, "-conf", options.files.corefile];
  }
}

/** It takes its programs for containers from PATH. */
export function containerdCommand(files: NodeFiles): Command {
  return ["containerd", "--config", files.containerdConfig];
}
