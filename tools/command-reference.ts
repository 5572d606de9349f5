import type { Command } from "commander";
import { buildWholeProgram } from "../cli/command-line.ts";
import { processTerminal } from "../cli/terminal.ts";

/** The help of every command, as Markdown. */
export async function commandReference(): Promise<string> {
  const terminal = { ...processTerminal(), environment: {} };
  const program = await buildWholeProgram({ terminal, finish: () => undefined });
  return program.commands.flatMap((command) => sections(command, "seawall")).join("\n");
}

function sections(command: Command, parent: string): string[] {
  const path = `${parent} ${command.name()}`;
  const help = command.configureHelp({ helpWidth: 100 }).helpInformation().trimEnd();
  return [`## ${path}\n\n\`\`\`text\n${help}\n\`\`\`\n`, ...command.commands.flatMap((child) => sections(child, path))];
}
