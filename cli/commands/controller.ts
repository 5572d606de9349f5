import { type Command, Option } from "commander";
import { type CommandContext, withExamples } from "../command.ts";
import type { ControllerOptions } from "../controller/controller.ts";
import { durationOption } from "../duration.ts";
import { type HostPort, hostPortOption } from "../host-port.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../serve/log.ts";

export function define(command: Command, { terminal }: CommandContext): void {
  const { environment } = terminal;
  const address = (flags: string, description: string, port: number): Option =>
    new Option(flags, description).argParser(hostPortOption).default({ host: "::", port } satisfies HostPort, `[::]:${port}`);
  command
    .description(
      "Runs the control plane of a Kubernetes cluster: watches its objects and policies, injects sidecars, serves them and writes statuses. The Helm chart runs it; a service account or a kubeconfig says which cluster.",
    )
    .option("--kubeconfig <file>", "the cluster's kubeconfig, where this runs outside of it")
    .option("--context <name>", "a context of the kubeconfig; its current one by default")
    .option(
      "--namespace <name>",
      "where Seawall is installed: its Secret, Lease and Service are there",
      environment["POD_NAMESPACE"] ?? "seawall-system",
    )
    .option("--pod-name <name>", "this replica, as the Lease and the log name it", environment["POD_NAME"] ?? "seawall")
    .option("--pod-ip <address>", "where the other replicas reach this one", environment["POD_IP"] ?? "127.0.0.1")
    .option("--cluster-domain <domain>", "the DNS domain of the cluster", "cluster.local")
    .requiredOption("--injection-file <file>", "what is put into pods (JSON)")
    .option(
      "--mesh-config-file <file>",
      "the spec (JSON) of the MeshConfig that is applied at the start; without it the cluster's own counts",
    )
    .addOption(address("--xds-address <host:port>", "where sidecars connect", 15010))
    .addOption(address("--webhook-address <host:port>", "where the API server asks about pods and policies", 8443))
    .addOption(address("--admin-address <host:port>", "health, metrics and debugging", 15014))
    .option("--token-file <file>", "this replica's own token, for the other replicas", "/var/run/secrets/seawall/token")
    .addOption(
      new Option(
        "--token-verification <mode>",
        "beyond the signature of sidecars' tokens: ask the API server, or (jwks) believe what was last seen of pods, also while it is away",
      )
        .choices(["token-review", "jwks"])
        .default("token-review"),
    )
    .option("--leaf-ttl <duration>", "how long a workload's certificate is good for (default: 24h)", durationOption)
    .addOption(new Option("--log-format <format>", "of the log on stderr").choices(LOG_FORMATS).default("text"))
    .addOption(new Option("--log-level <level>", "the least important level that is logged").choices(LOG_LEVELS).default("info"))
    .action(async (options: ControllerOptions) => {
      const { controller } = await import("../controller/controller.ts");
      await controller(options, terminal);
    });
  withExamples(command, {
    what: "outside of the cluster, for development",
    line: "seawall controller --kubeconfig ~/.kube/config --injection-file injection.json",
  });
}
