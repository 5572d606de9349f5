import type { Command } from "commander";
import type { ExitCode } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** What a command is given. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** Ends the command with another exit code than 0, without a message: its output has said why. */
  finish(code: ExitCode): void;
}

/** One file of cli/commands: declares options and arguments. What is heavy is imported when the command acts. */
export interface CommandDefinition {
  define(command: Command, context: CommandContext): void;
}

/** A command as the overview knows it, before its file is loaded. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<CommandDefinition>;
}

export interface Example {
  readonly what: string;
  readonly line: string;
}

/** Adds the examples that `--help` ends with. */
export function withExamples(command: Command, ...examples: readonly Example[]): Command {
  const text = examples.map(({ what, line }) => `  # ${what}\n  ${line.replaceAll("\n", "\n  ")}`).join("\n\n");
  return command.addHelpText("after", `\nExamples:\n${text}`);
}
