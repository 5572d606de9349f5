import { Argument, type Command } from "commander";
import { buildWholeProgram } from "../command-line.ts";
import { type CommandContext, withExamples } from "../command.ts";
import type { Shell } from "../completion/command-tree.ts";

export function define(command: Command, context: CommandContext): void {
  command.addArgument(new Argument("<shell>", "the shell to write for").choices(["bash", "zsh", "fish"])).action(async (shell: Shell) => {
    const { completionScript } = await import("../completion/completion-script.ts");
    context.terminal.output.write(completionScript(shell, await buildWholeProgram(context)));
  });
  withExamples(
    command,
    { what: "in this bash", line: "source <(seawall completion bash)" },
    { what: "in every zsh", line: 'seawall completion zsh > "${fpath[1]}/_seawall"' },
    { what: "in every fish", line: "seawall completion fish > ~/.config/fish/completions/seawall.fish" },
  );
}
