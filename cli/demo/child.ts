import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { CommandFailure } from "../command-failure.ts";
import { END_WITH_STDIN } from "../terminal.ts";

export interface ChildOptions {
  readonly name: string;
  /** The script and its arguments, for the Node that runs this. */
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Gets everything that the child writes. */
  readonly logFile: string;
}

/** Long, for many start at once, and a machine may be slow: who has failed says so by ending. */
const LONGEST_START_MS = 120_000;
const LONGEST_END_MS = 15_000;

/** A process of the demo. It ends with the demo however that ends: it holds the other end of its stdin. */
export class Child {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #log: WriteStream;
  readonly #lines: string[] = [];
  readonly #listeners = new Set<(line: string) => void>();
  readonly #ended: Promise<void>;
  #stopping = false;
  #failure: string | undefined;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#log = createWriteStream(options.logFile, { flags: "a", mode: 0o600 });
    this.#process = spawn(process.execPath, ["--no-warnings", ...options.args], {
      env: { ...process.env, ...options.environment, [END_WITH_STDIN]: "1", END_WITH_PARENT: "1" },
      stdio: ["pipe", "pipe", "pipe"],
      // Ctrl-C is for the demo, which ends its parts in their order.
      detached: true,
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", (line) => this.#read(line));
    }
    this.#process.stdin?.on("error", () => undefined);
    this.#ended = this.#watch();
  }

  /** Calls with every line from now on. */
  onLine(listener: (line: string) => void): void {
    this.#listeners.add(listener);
  }

  /** The first line, past or future, that has the form. Rejects with the child's last words when it ends before. */
  async line(form: RegExp): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = (line: string): void => {
      const found = form.exec(line);
      if (found !== null) resolve(found);
    };
    this.#lines.forEach(look);
    this.#listeners.add(look);
    const timer = setTimeout(() => reject(this.#startFailure(`has not started within ${LONGEST_START_MS / 1_000} s`)), LONGEST_START_MS);
    void this.#ended.then(() => reject(this.#startFailure(`ended (${this.#failure ?? "by itself"})`)));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(look);
    }
  }

  /** Ends it and waits for the end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill("SIGTERM");
    this.#process.stdin?.end();
    const kill = setTimeout(() => this.#process.kill("SIGKILL"), LONGEST_END_MS);
    await this.#ended;
    clearTimeout(kill);
  }

  /** Calls when it ends by itself, with how. */
  onUnexpectedEnd(listener: (how: string) => void): void {
    void this.#ended.then(() => {
      if (!this.#stopping) listener(this.#failure ?? "it ended");
    });
  }

  #read(line: string): void {
    this.#log.write(`${line}\n`);
    this.#lines.push(line);
    if (this.#lines.length > 200) this.#lines.shift();
    for (const listener of [...this.#listeners]) listener(line);
  }

  async #watch(): Promise<void> {
    try {
      const [code, signal] = (await once(this.#process, "close")) as [number | null, NodeJS.Signals | null];
      this.#failure = signal === null ? `exit code ${code ?? 0}` : `signal ${signal}`;
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
    }
    this.#process.stdin?.destroy();
    this.#log.end();
  }

  #startFailure(what: string): CommandFailure {
    const last = this.#lines
      .slice(-5)
      .map((line) => `  ${line}`)
      .join("\n");
    return CommandFailure.failed(`${this.name} ${what}.${last === "" ? "" : ` Its last words:\n${last}`}`);
  }
}
