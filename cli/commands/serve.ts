import { type Command, Option } from "commander";
import { type CommandContext, withExamples } from "../command.ts";
import { durationOption } from "../duration.ts";
import { type HostPort, hostPortOption } from "../host-port.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../serve/log.ts";
import type { ServeOptions } from "../serve/serve.ts";
import { stateFolderOption } from "../state-folder-option.ts";

export function define(command: Command, { terminal }: CommandContext): void {
  command
    .description(
      "Runs the control plane of a standalone mesh: reads a folder of YAML, follows its changes, and serves the sidecars. Ctrl-C ends it; the sidecars go on with what they have.",
    )
    .requiredOption("--config-dir <folder>", "the folder of YAML (Kubernetes objects and policies) to follow")
    .addOption(stateFolderOption(terminal.environment))
    .addOption(
      new Option("--xds-address <host:port>", "where sidecars connect")
        .argParser(hostPortOption)
        .default({ host: "127.0.0.1", port: 15012 } satisfies HostPort, "127.0.0.1:15012"),
    )
    .addOption(
      new Option("--admin-address <host:port>", "health, metrics and what `seawall proxy` and `seawall explain` ask")
        .argParser(hostPortOption)
        .default({ host: "127.0.0.1", port: 15014 } satisfies HostPort, "127.0.0.1:15014"),
    )
    .option("--leaf-ttl <duration>", "how long a workload's certificate is good for (default: 24h)", durationOption)
    .option("--insecure-xds", "serve xDS without TLS: for measuring on loopback only", false)
    .addOption(new Option("--log-format <format>", "of the log on stderr").choices(LOG_FORMATS).default("text"))
    .addOption(new Option("--log-level <level>", "the least important level that is logged").choices(LOG_LEVELS).default("info"))
    .action(async (options: ServeOptions) => {
      const { serve } = await import("../serve/serve.ts");
      await serve(options, terminal);
    });
  withExamples(
    command,
    { what: "the example shop's mesh", line: "seawall serve --config-dir examples/shop/manifests" },
    {
      what: "for sidecars on other machines, with a log for machines",
      line: "seawall serve --config-dir /etc/seawall/mesh --state-dir /var/lib/seawall --xds-address 10.0.0.5:15012 --log-format json",
    },
  );
}
