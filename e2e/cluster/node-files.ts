/** The files that a node's programs read. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { DNS_SERVICE, NODE_IPV4, POD_RANGES } from "./network.ts";

export interface NodeFolders {
  readonly root: string;
  readonly logs: string;
  readonly containerd: string;
  readonly containerdState: string;
  readonly containerdSocket: string;
  readonly cni: string;
  readonly kubelet: string;
}

export function nodeFolders(root: string): NodeFolders {
  return {
    root,
    logs: join(root, "logs"),
    containerd: join(root, "containerd"),
    containerdState: join(root, "containerd-state"),
    containerdSocket: join(root, "containerd.sock"),
    cni: join(root, "cni"),
    kubelet: join(root, "kubelet"),
  };
}

export interface NodeFiles {
  readonly containerdConfig: string;
  readonly kubeletConfig: string;
  readonly corefile: string;
}

export interface NodeFileOptions {
  readonly folders: NodeFolders;
  /** Below which all pods' control groups are. */
  readonly controlGroup: string;
  readonly networkName: string;
  readonly pauseImage: string;
  /** CoreDNS's own. */
  readonly dnsKubeconfig: string;
}

export async function writeNodeFiles(options: NodeFileOptions): Promise<NodeFiles> {
  const { folders } = options;
  await Promise.all([folders.logs, folders.cni, folders.kubelet].map((folder) => mkdir(folder, { recursive: true })));
  const files = {
    containerdConfig: join(folders.root, "containerd.toml"),
    kubeletConfig: join(folders.root, "kubelet.yaml"),
    corefile: join(folders.root, "Corefile"),
  };
  const resolvConf = join(folders.root, "resolv.conf");
  await writeFile(resolvConf, `nameserver ${NODE_IPV4}\n`);
  await writeFile(files.containerdConfig, containerdConfig(options));
  await writeFile(files.kubeletConfig, stringify(kubeletConfig(options, resolvConf)));
  await writeFile(files.corefile, corefile(options.dnsKubeconfig));
  await writeFile(join(folders.cni, "10-seawall.conflist"), JSON.stringify(podNetwork(options)));
  return files;
}

function containerdConfig({ folders, pauseImage }: NodeFileOptions): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return [
    "version = 2",
    `root = ${JSON.stringify(folders.containerd)}`,
    `state = ${JSON.stringify(folders.containerdState)}`,
    'disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]',
    "[grpc]",
    `  address = ${JSON.stringify(folders.containerdSocket)}`,
    `[${cri}]`,
    `  sandbox_image = ${JSON.stringify(pauseImage)}`,
    // Lowering the score takes a capability that a machine in a machine may lack, and then runc dies without a word.
    "  restrict_oom_score_adj = true",
    // Pods' network namespaces are mounted below `state`, where tearing down finds them.
    "  netns_mounts_under_state_dir = true",
    `[${cri}.containerd.runtimes.runc]`,
    '  runtime_type = "io.containerd.runc.v2"',
    `  [${cri}.containerd.runtimes.runc.options]`,
    `    Root = ${JSON.stringify(join(folders.root, "runc"))}`,
    `[${cri}.cni]`,
    '  bin_dir = "/usr/lib/cni"',
    `  conf_dir = ${JSON.stringify(folders.cni)}`,
    "",
  ].join("\n");
}

function kubeletConfig({ folders, controlGroup }: NodeFileOptions, resolvConf: string): object {
  return {
    kind: "KubeletConfiguration",
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    containerRuntimeEndpoint: `unix://${folders.containerdSocket}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: controlGroup,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    // Who is inside the namespace may ask it anything: this is a node for tests.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    clusterDomain: "cluster.local",
    clusterDNS: [DNS_SERVICE],
    resolvConf,
    // A kubelet removes the logs of pods that it does not know: two on one machine may not share a folder.
    podLogsDir: join(folders.root, "pod-logs"),
    volumePluginDir: join(folders.root, "volume-plugins"),
    // The machine's disk and memory are not the test's subject.
    evictionHard: { "memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%" },
    imageGCHighThresholdPercent: 100,
    imageMinimumGCAge: "24h",
    maxPods: 250,
    // Tests wait for what these bring about.
    syncFrequency: "10s",
    configMapAndSecretChangeDetectionStrategy: "Watch",
  };
}

function podNetwork({ folders, networkName }: NodeFileOptions): object {
  return {
    cniVersion: "0.4.0",
    name: networkName,
    plugins: [
      {
        type: "bridge",
        bridge: "pods0",
        isGateway: true,
        // A pod may reach itself through its Service.
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(folders.root, "addresses"),
          ranges: [[{ subnet: POD_RANGES.ipv4 }], [{ subnet: POD_RANGES.ipv6 }]],
          routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function corefile(kubeconfig: string): string {
  return [
    ".:53 {",
    `  bind ${NODE_IPV4}`,
    "  errors",
    "  kubernetes cluster.local in-addr.arpa ip6.arpa {",
    `    kubeconfig ${kubeconfig}`,
    "    pods insecure",
    "    ttl 5",
    "  }",
    "}",
    "",
  ].join("\n");
}
