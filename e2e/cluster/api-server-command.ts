/** How etcd and kube-apiserver are started, alone on loopback or as part of a node. */
import { join } from "node:path";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";
import type { ApiServerFiles } from "./api-server-files.ts";

export type Command = readonly [string, ...string[]];

export interface EtcdPlace {
  readonly address: string;
  readonly client: number;
  readonly peer: number;
}

export function etcdUrl({ address, client }: EtcdPlace): string {
  return `http://${address}:${client}`;
}

/** What a test stores need not survive, so etcd writes without waiting for the disk. */
export function etcdCommand(folder: string, place: EtcdPlace): Command {
  const url = etcdUrl(place);
  const peer = `http://${place.address}:${place.peer}`;
  return [
    clusterProgram("etcd"),
    ...["--name=seawall", `--data-dir=${join(folder, "etcd")}`, "--unsafe-no-fsync", "--log-level=warn"],
    ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
    ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=seawall=${peer}`],
  ];
}

export interface ApiServerCommandOptions {
  readonly files: ApiServerFiles;
  readonly etcd: string;
  readonly address: string;
  readonly port: number;
  /** Comma-separated where the cluster has two address families. */
  readonly serviceRange: string;
  readonly extraArguments: readonly string[];
}

/** The issuer of service accounts' tokens, as in most clusters. */
export const SERVICE_ACCOUNT_ISSUER = "https://kubernetes.default.svc.cluster.local";

/** Nobody is anonymous and RBAC decides; the serving certificate is self-signed, and its file is what clients trust. */
export function apiServerCommand(options: ApiServerCommandOptions): Command {
  const { files } = options;
  return [
    clusterProgram("kube-apiserver"),
    `--etcd-servers=${options.etcd}`,
    ...[`--bind-address=${options.address}`, `--advertise-address=${options.address}`, `--secure-port=${options.port}`],
    ...[`--cert-dir=${files.certificates}`, `--token-auth-file=${files.tokens}`, "--authorization-mode=Node,RBAC"],
    ...[`--service-account-issuer=${SERVICE_ACCOUNT_ISSUER}`, `--service-cluster-ip-range=${options.serviceRange}`],
    ...[`--service-account-key-file=${files.serviceAccountKey}`, `--service-account-signing-key-file=${files.serviceAccountKey}`],
    // A restart must not wait for the requests that watch.
    ...["--shutdown-delay-duration=0s", "--shutdown-watch-termination-grace-period=0s"],
    "--allow-privileged=true",
    ...options.extraArguments,
  ];
}
