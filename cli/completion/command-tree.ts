import type { Argument, Command, Option } from "commander";

export type Shell = "bash" | "zsh" | "fish";

export interface Word {
  readonly word: string;
  readonly help: string;
}

export interface OptionWords {
  /** `-o` and `--output`, as far as there are both. */
  readonly words: readonly string[];
  readonly help: string;
  readonly takesValue: boolean;
  /** The values that the option takes, when they are a closed set. */
  readonly choices: readonly string[];
}

/** What can follow one command: the level of the command tree that `path` names, empty for `seawall` itself. */
export interface CommandLevel {
  /** Words after `seawall`, joined by spaces. */
  readonly path: string;
  readonly subcommands: readonly Word[];
  readonly options: readonly OptionWords[];
  readonly choices: readonly string[];
}

/** Every level of the command tree, the root first. */
export function commandLevels(program: Command): readonly CommandLevel[] {
  const levels: CommandLevel[] = [];
  visit(program, "");
  return levels;

  function visit(command: Command, path: string): void {
    const help = command.createHelp();
    const subcommands = help.visibleCommands(command);
    levels.push({
      path,
      subcommands: subcommands.map((found) => ({ word: found.name(), help: found.summary() || found.description() })),
      options: help.visibleOptions(command).map(optionWords),
      choices: command.registeredArguments.flatMap((argument: Argument) => argument.argChoices ?? []),
    });
    for (const found of subcommands) visit(found, path === "" ? found.name() : `${path} ${found.name()}`);
  }
}

function optionWords(option: Option): OptionWords {
  return {
    words: [option.short, option.long].filter((word) => word !== undefined),
    help: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  };
}
