import type { Command } from "commander";
import type { CheckOptions } from "../check/check.ts";
import { addClusterOptions } from "../cluster/cluster-options.ts";
import { type CommandContext, withExamples } from "../command.ts";
import { durationOption } from "../duration.ts";
import { outputOption } from "../output-format.ts";

const HOUR = 3_600_000;

export function define(command: Command, context: CommandContext): void {
  command
    .description(
      "Says whether Seawall works in a cluster, and what to do where it does not: the control plane and its leader, its kinds, webhooks (by dry runs, which store nothing) and certificates; pods without sidecar, sidecars, policies, and what would be refused if audited policies were enforced. Ends with 1 when something does not work.",
    )
    .option("--installation", "only what the chart installs, not who uses it", false);
  command.option("--since <duration>", "how far back to look for calls that would be refused", durationOption, HOUR);
  // The number that the reader made would be shown otherwise.
  command.options.find(({ long }) => long === "--since")?.default(HOUR, "1h");
  addClusterOptions(command)
    .addOption(outputOption())
    .action(async (options: CheckOptions) => {
      const { check } = await import("../check/check.ts");
      context.finish(await check(options, context.terminal));
    });
  withExamples(
    command,
    { what: "after an installation, or whenever something is odd", line: "seawall check" },
    { what: "what would Deny refuse?", line: "seawall check -o json | jq '.findings[] | select(.area == \"audit\")'" },
  );
}
