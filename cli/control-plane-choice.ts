import { type Command, Option } from "commander";
import { addClusterOptions, type ClusterOptions } from "./cluster/cluster-options.ts";
import { type HostPort, hostPortOption } from "./host-port.ts";

/** Which control plane a command asks: the one behind an admin port, or the replicas of a cluster's. */
export interface ControlPlaneChoice extends ClusterOptions {
  readonly admin?: HostPort;
}

/** Where `seawall serve` listens unless it is told otherwise. */
export const LOCAL_ADMIN: HostPort = { host: "127.0.0.1", port: 15014 };

export function addControlPlaneOptions(command: Command): Command {
  command.addOption(
    new Option("--admin <host:port>", "ask the control plane behind this admin port (without a kubeconfig: 127.0.0.1:15014)")
      .argParser(hostPortOption)
      .conflicts(["kubeconfig", "context"]),
  );
  return addClusterOptions(command);
}
