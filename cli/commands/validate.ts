import type { Command } from "commander";
import { type CommandContext, withExamples } from "../command.ts";
import { filesOption } from "../manifests/files-option.ts";
import type { ValidateOptions } from "../manifests/validate.ts";
import { outputOption } from "../output-format.ts";

export function define(command: Command, context: CommandContext): void {
  command
    .description(
      "Checks Kubernetes objects and policies as the control plane does, and says everything that is wrong at once: file:line: path: reason: message. Ends with 2 when something is; warnings alone do not count, unless --strict.",
    )
    .addOption(filesOption("what to check").makeOptionMandatory())
    .option("--strict", "warnings count as errors", false)
    .addOption(outputOption())
    .action(async (options: ValidateOptions) => {
      const { validate } = await import("../manifests/validate.ts");
      context.finish(await validate(options, context.terminal));
    });
  withExamples(
    command,
    { what: "a whole folder, before it is deployed", line: "seawall validate --strict -f examples/shop/manifests" },
    { what: "what another program writes", line: "helm template shop | seawall validate -f -" },
  );
}
