/** Runs the `seawall` command in tests as a user would: as a process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Collected } from "../../e2e/support/collected.ts";
import { PATIENCE_MS, within } from "../../e2e/support/eventually.ts";
import { endWithTests } from "../../e2e/support/endings.ts";

const SEAWALL = join(import.meta.dirname, "..", "seawall.ts");

export interface SeawallOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly folder?: string;
  readonly input?: string;
  /** Milliseconds in which it must end. */
  readonly patienceMs?: number;
}

export interface SeawallResult {
  readonly code: number | null;
  readonly output: string;
  readonly messages: string;
}

/** Runs one command to its end. */
export async function seawall(args: readonly string[], options: SeawallOptions = {}): Promise<SeawallResult> {
  const running = startSeawall(args, options);
  if (options.input !== undefined) running.child.stdin?.end(options.input);
  const words = (): string => running.messages.items.join("\n");
  const code = await within(`seawall ${args.join(" ")} ends`, running.ended, {
    context: words,
    timeoutMs: options.patienceMs ?? PATIENCE_MS,
  });
  return {
    code,
    output: running.output.items.map((line) => `${line}\n`).join(""),
    messages: running.messages.items.map((line) => `${line}\n`).join(""),
  };
}

export interface RunningSeawall {
  readonly child: ChildProcess;
  /** Lines on stdout. */
  readonly output: Collected<string>;
  /** Lines on stderr. */
  readonly messages: Collected<string>;
  /** Resolves with the exit code, or null when a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** Starts a command that runs until it is told to end; it ends with the test file at the latest. */
export function startSeawall(args: readonly string[], options: SeawallOptions = {}): RunningSeawall {
  const child = spawn(process.execPath, [SEAWALL, ...args], {
    cwd: options.folder,
    env: { ...process.env, ...options.environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => undefined);
  if (options.input === undefined) child.stdin.end();
  const messages = new Collected<string>();
  const output = new Collected<string>(() => messages.items.join("\n"));
  createInterface({ input: child.stdout }).on("line", (line) => output.add(line));
  createInterface({ input: child.stderr }).on("line", (line) => messages.add(line));
  const ended = once(child, "close").then(([code]) => code as number | null);
  const forget = endWithTests(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  void ended.then(forget);
  return { child, output, messages, ended };
}
