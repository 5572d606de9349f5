import { type Command, InvalidArgumentError, Option } from "commander";
import { join } from "node:path";
import { type CommandContext, withExamples } from "../command.ts";
import { durationOption } from "../duration.ts";
import { type HostPort, hostPortOption } from "../host-port.ts";
import type { SidecarOptions } from "../sidecar/sidecar.ts";
import { defaultStateFolder } from "../state-folder-option.ts";

const ENVOY_LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "critical", "off"];

export function define(command: Command, { terminal }: CommandContext): void {
  const { environment } = terminal;
  command
    .description(
      "Runs the sidecar of the pod that the token is for: an Envoy that gets everything from the control plane. The access log is JSON on stdout, one request a line; what the sidecar itself has to say is on stderr.",
    )
    .requiredOption("--token-file <file>", "the pod's join token; the sidecar renews it and writes it back")
    .addOption(
      new Option("--control-plane <host:port>", "where the control plane serves xDS")
        .argParser(hostPortOption)
        .default({ host: "127.0.0.1", port: 15012 } satisfies HostPort, "127.0.0.1:15012"),
    )
    .option("--server-name <name>", "the name that the control plane's certificate must hold", "localhost")
    .addOption(
      new Option("--ca-file <file>", "PEM of the mesh's roots")
        .env("SEAWALL_CA_FILE")
        .default(join(defaultStateFolder(environment), "trust.pem"), "trust.pem in the state folder"),
    )
    .option("--work-dir <folder>", "for the bootstrap and the admin socket (default: a temporary folder)")
    .option("--envoy <program>", "the Envoy to run (default: $SEAWALL_ENVOY, PATH, the one that `make tools` fetched)")
    .addOption(new Option("--concurrency <threads>", "Envoy's worker threads").argParser(threads).default(1))
    .addOption(new Option("--log-level <level>", "of Envoy's own log").choices(ENVOY_LOG_LEVELS).default("warn"))
    .addOption(
      new Option("--drain-timeout <duration>", "how long open requests are waited for at the end")
        .argParser(durationOption)
        .default(5_000, "5s"),
    )
    .option("--insecure-xds", "speak to the control plane without TLS: for measuring on loopback only", false)
    .action(async (options: SidecarOptions) => {
      const { runSidecar } = await import("../sidecar/sidecar.ts");
      await runSidecar(options, terminal);
    });
  withExamples(
    command,
    {
      what: "on the machine of the control plane",
      line: "seawall token create shop/web -w web.token\nseawall sidecar --token-file web.token",
    },
    {
      what: "on another machine, with the roots copied there",
      line: "seawall sidecar --token-file web.token --ca-file trust.pem --control-plane mesh.internal:15012 --server-name mesh.internal",
    },
  );
}

function threads(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 256) throw new InvalidArgumentError("write a number from 1 to 256.");
  return count;
}
