/** The command line as a whole: which commands there are, and how each of them ends. */
import { Command, CommanderError } from "commander";
import type { CommandContext, CommandEntry } from "./command.ts";
import { explainFailure } from "./command-failure.ts";
import { EXIT, EXIT_CODE_HELP, type ExitCode } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";
import { packageVersion } from "./package-version.ts";

/** In the order of the overview: what a newcomer meets first stands first. */
const COMMANDS: readonly CommandEntry[] = [
  { name: "demo", summary: "run the example shop and walk through it", load: () => import("./commands/demo.ts") },
  { name: "serve", summary: "run the control plane", load: () => import("./commands/serve.ts") },
  { name: "controller", summary: "run a replica of a cluster's control plane", load: () => import("./commands/controller.ts") },
  { name: "sidecar", summary: "run the sidecar of a pod: a supervised Envoy", load: () => import("./commands/sidecar.ts") },
  { name: "token", summary: "make the tokens with which sidecars join the mesh", load: () => import("./commands/token.ts") },
  { name: "explain", summary: "say whether a request would be allowed, and why", load: () => import("./commands/explain.ts") },
  { name: "proxy", summary: "look into sidecars: status and configuration", load: () => import("./commands/proxy.ts") },
  { name: "check", summary: "say whether Seawall works in a cluster", load: () => import("./commands/check.ts") },
  { name: "bug-report", summary: "collect what somebody who helps would ask for", load: () => import("./commands/bug-report.ts") },
  { name: "validate", summary: "check objects and policies", load: () => import("./commands/validate.ts") },
  { name: "translate", summary: "show the Envoy configuration that policies become", load: () => import("./commands/translate.ts") },
  { name: "completion", summary: "print the completion script of a shell", load: () => import("./commands/completion.ts") },
];

/** Runs one command line (without `node` and the script) and resolves with its exit code. Never rejects. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const context: CommandContext = { terminal, finish: (code) => void (exitCode = code) };
  try {
    const program = await buildProgram(context, commandNamed(args));
    await program.parseAsync(args, { from: "user" });
  } catch (thrown) {
    // Commander has printed its own message by now.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const failure = explainFailure(thrown);
    terminal.messages.write(`seawall: ${failure.message}\n`);
    if (terminal.environment["SEAWALL_DEBUG"] === "1" && thrown instanceof Error) terminal.messages.write(`${describe(thrown)}\n`);
    return failure.exitCode;
  }
  return exitCode;
}

/** Every command with all of its options, for what has to know the whole tree. */
export function buildWholeProgram(context: CommandContext): Promise<Command> {
  return buildProgram(context, "all");
}

/** Only the command that is used is loaded; the others are known by name and summary. */
async function buildProgram(context: CommandContext, needed: string | undefined): Promise<Command> {
  const { terminal } = context;
  const program = new Command("seawall")
    .description("Zero trust for APIs that explains itself: the control plane, the sidecars and the tools of a Seawall mesh.")
    .usage("<command> [options]")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help about a command")
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.output.write(text),
      writeErr: (text) => terminal.messages.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "seawall: ")),
    });
  for (const entry of COMMANDS) {
    const command = program.command(entry.name).summary(entry.summary).description(sentence(entry.summary)).helpCommand(false);
    if (needed === "all" || needed === entry.name) (await entry.load()).define(command, context);
    pointAtHelp(command, `seawall ${entry.name}`);
  }
  program.showHelpAfterError("(seawall --help lists the commands)");
  program.addHelpText(
    "after",
    `
Examples:
  # see everything at work: a shop, its sidecars, its policies
  seawall demo

  # what is possible with one command
  seawall sidecar --help

${EXIT_CODE_HELP}

SEAWALL_DEBUG=1 shows the origin of unexpected failures.`,
  );
  return program;
}

/** What commander refuses points at the help of the command that was meant. */
function pointAtHelp(command: Command, path: string): void {
  command.showHelpAfterError(`(${path} --help shows what is possible)`);
  for (const subcommand of command.commands) pointAtHelp(subcommand, `${path} ${subcommand.name()}`);
}

/** `seawall <name> ...` and `seawall help <name>`. */
function commandNamed(args: readonly string[]): string | undefined {
  const words = args.filter((arg) => !arg.startsWith("-"));
  return words[0] === "help" ? words[1] : words[0];
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}

function describe(thrown: Error): string {
  const cause = thrown.cause instanceof Error ? `\ncaused by ${describe(thrown.cause)}` : "";
  return `${thrown.stack ?? thrown.message}${cause}`;
}
