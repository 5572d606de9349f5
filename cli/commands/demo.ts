import type { Command } from "commander";
import { type CommandContext, withExamples } from "../command.ts";
import type { DemoOptions } from "../demo/demo.ts";

export function define(command: Command, context: CommandContext): void {
  command
    .description(
      "Runs the example shop with a control plane and a real Envoy for every pod, on addresses and ports that nobody else uses, and walks through what is allowed and what is refused, and why. Then it stays up; Ctrl-C ends everything.",
    )
    .option("--once", "end after the walk-through; the exit code says whether every step went as it should", false)
    .option("--keep-dir [folder]", "keep configuration, state and logs, in this new folder or in a temporary one")
    .option("--envoy <program>", "the Envoy to run (default: $SEAWALL_ENVOY, PATH, the one that `make tools` fetched)")
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import("../demo/demo.ts");
      context.finish(await runDemo(options, context.terminal));
    });
  withExamples(command, { what: "see it, and play with it", line: "seawall demo" }, { what: "as a check", line: "seawall demo --once" });
}
