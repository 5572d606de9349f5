import type { Readable, Writable } from "node:stream";

/** Where a command reads and writes, so that nothing below the entry point touches the process. */
export interface Terminal {
  readonly input: Readable;
  /** Results: what a script reads. */
  readonly output: Writable;
  /** Progress, warnings and failures: what a person reads. */
  readonly messages: Writable;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The first Ctrl-C or SIGTERM aborts it; the second ends the process at once. Only long-running commands ask for it. */
  interruption(): AbortSignal;
}

/** One line of progress or warning. */
export function say(terminal: Terminal, message: string): void {
  terminal.messages.write(`${message}\n`);
}

export function processTerminal(): Terminal {
  let interruption: AbortSignal | undefined;
  return {
    input: process.stdin,
    output: process.stdout,
    messages: process.stderr,
    environment: process.env,
    interruption() {
      interruption ??= abortOnSignals();
      return interruption;
    },
  };
}

/**
 * A parent that holds the other end of stdin takes its child along, however it ends, when it sets this: the system
 * closes the pipe even after kill -9.
 */
export const END_WITH_STDIN = "SEAWALL_END_WITH_STDIN";

function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  if (process.env[END_WITH_STDIN] === "1") process.stdin.on("end", () => controller.abort("stdin")).resume();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(1);
      controller.abort(signal);
    });
  }
  return controller.signal;
}
