import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import type { Terminal } from "../terminal.ts";

/** Which cluster a command speaks to. */
export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** The options that every command against a cluster has, called as kubectl calls them. */
export function addClusterOptions(command: Command): Command {
  return command
    .addOption(new Option("--kubeconfig <file>", "speak to the cluster of this kubeconfig (default: KUBECONFIG, or ~/.kube/config)"))
    .addOption(new Option("--context <name>", "the kubeconfig's context (default: its current one)"));
}

/** Whether a cluster is meant: it is named, or this machine has one to speak to. */
export function namesCluster({ kubeconfig, context }: ClusterOptions, { environment }: Terminal): boolean {
  if (kubeconfig !== undefined || context !== undefined) return true;
  if ((environment["KUBECONFIG"] ?? "") !== "" || (environment["KUBERNETES_SERVICE_HOST"] ?? "") !== "") return true;
  const home = environment["HOME"];
  return home !== undefined && existsSync(join(home, ".kube", "config"));
}
