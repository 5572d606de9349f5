/**
 * A program that runs beside a test: its log goes to a file, it is ended with us, and its end is told with its last words.
 * Other processes find its id in `<name>.pid`, and hold it down by writing `<name>.hold`, beside the log.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export interface ProgramOptions {
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Gets `<name>.log`, to which output is appended, and `<name>.pid`. */
  readonly logFolder: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export function programFiles(logFolder: string, name: string): { readonly log: string; readonly pid: string; readonly hold: string } {
  const file = (kind: string): string => join(logFolder, `${name}.${kind}`);
  return { log: file("log"), pid: file("pid"), hold: file("hold") };
}

const STOP_MS = 20_000;

export class Program {
  readonly #options: ProgramOptions;
  #child: ChildProcess | undefined;
  /** What is to happen at its end; nothing once we ended it ourselves. */
  #atEnd: (() => void) | undefined;

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.isRunning ? this.#child?.pid : undefined;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get logFile(): string {
    return programFiles(this.#options.logFolder, this.#options.name).log;
  }

  /** Starts it; it dies with this process, however this process ends. */
  start(): void {
    if (this.isRunning) return;
    const log = openSync(this.logFile, "a");
    const environment = { ...process.env, ...this.#options.environment };
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", ...this.#options.command], {
      stdio: ["ignore", log, log],
      env: environment,
    });
    closeSync(log);
    this.#child.once("exit", () => this.#atEnd?.());
    writeFileSync(programFiles(this.#options.logFolder, this.#options.name).pid, String(this.#child.pid));
  }

  /** From now on it is started again at once when it ends, as a service manager would, but not while it is held down. */
  keepAlive(): void {
    const { hold } = programFiles(this.#options.logFolder, this.#options.name);
    this.#atEnd = () => {
      if (existsSync(hold)) setTimeout(() => this.#atEnd?.(), 50);
      else this.start();
    };
  }

  /** Waits for its end after `signal`; after {@link STOP_MS} it is killed. Harmless when it does not run. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#atEnd = undefined;
    if (!child || !this.isRunning) return;
    const ended = once(child, "exit");
    child.kill(signal);
    const impatience = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(impatience);
  }

  /** Polls until `holds` answers true. Throws when the program ends meanwhile or `timeoutMs` pass, with the end of its log. */
  async until(what: string, holds: () => Promise<boolean>, timeoutMs = 180_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!(await holds())) {
      if (!this.isRunning) throw new Error(`${this.#options.name} ended before ${what}:\n${this.lastWords()}`);
      if (Date.now() > deadline) throw new Error(`${what} did not happen within ${timeoutMs / 1000} s:\n${this.lastWords()}`);
      await pause(100);
    }
  }

  lastWords(lines = 20): string {
    return readFileSync(this.logFile, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  }
}
