import { type Command, InvalidArgumentError } from "commander";
import type { BugReportOptions } from "../bug-report/bug-report.ts";
import { addClusterOptions } from "../cluster/cluster-options.ts";
import { type CommandContext, withExamples } from "../command.ts";

export function define(command: Command, { terminal }: CommandContext): void {
  command
    .description(
      "Collects into one archive what somebody who has to help would ask for: versions, policies with their statuses, what seawall check finds, the control plane's log, metrics and state, the sidecars' configuration, statistics and logs. Never secrets, keys, tokens or the values of environment variables.",
    )
    .option("-n, --namespace <name>", "only pods of this namespace")
    .option("--sidecars <number>", "ask at most so many sidecars", wholeNumber, 20)
    .option("--lines <number>", "take at most so many lines of each log", wholeNumber, 5_000)
    .option("-w, --write <file>", "the archive's name (default: seawall-bug-report-<time>.tar.gz)");
  addClusterOptions(command).action(async (options: BugReportOptions) => {
    const { bugReport } = await import("../bug-report/bug-report.ts");
    await bugReport(options, terminal);
  });
  withExamples(
    command,
    { what: "of the whole mesh", line: "seawall bug-report" },
    { what: "about one application", line: "seawall bug-report -n shop -w shop.tar.gz" },
  );
}

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("write a whole number.");
  return Number(text);
}
