import { type Command, Option } from "commander";
import { type CommandContext, withExamples } from "../command.ts";
import { filesOption } from "../manifests/files-option.ts";
import type { TranslateOptions } from "../manifests/translate.ts";

export function define(command: Command, { terminal }: CommandContext): void {
  command
    .description(
      "Shows what Envoy is told because of the policies: the routes and extensions of every workload that they concern, as Envoy's own YAML. Services and pods that the input lacks are assumed, and said to be.",
    )
    .addOption(filesOption("policies, and the objects that they speak of").makeOptionMandatory())
    .option("--workload <namespace/name>", "only this workload")
    .option("--all", "everything that the workloads' sidecars get: listeners, clusters and endpoints too", false)
    .addOption(new Option("-o, --output <format>", "how to print the result").choices(["yaml", "json"]).default("yaml"))
    .action(async (options: TranslateOptions) => {
      const { translate } = await import("../manifests/translate.ts");
      await translate(options, terminal);
    });
  withExamples(
    command,
    { what: "one policy", line: "seawall translate -f examples/shop/manifests/limits.yaml" },
    { what: "all that the sidecar of orders gets", line: "seawall translate -f examples/shop/manifests --workload shop/orders --all" },
  );
}
