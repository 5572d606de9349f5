import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/**
 * Runs Envoy and ends it when the supervisor is gone, however it went: the supervisor holds the other end of stdin, and
 * the system closes that even after kill -9. Envoy first gets the chance to end by itself.
 */
const LIFELINE = `
exec 3<&0
"$@" 3<&- </dev/null &
envoy=$!
(
  read -r _ <&3
  kill -TERM "$envoy" || exit
  i=0
  while [ "$i" -lt 50 ] && kill -0 "$envoy"; do i=$((i + 1)); sleep 0.1; done
  kill -KILL "$envoy"
) >/dev/null 2>&1 &
lifeline=$!
exec 3<&-
wait "$envoy"
status=$?
kill "$lifeline" 2>/dev/null
exit "$status"
`;

const LONGEST_END_MS = 8_000;

/** One run of Envoy. Its stdout (the access log) is this process's own; its log goes to `onLine`. */
export class EnvoyProcess {
  readonly #child: ChildProcess;
  /** Resolves with how it ended, in words. Never rejects. */
  readonly ended: Promise<string>;

  constructor(program: string, args: readonly string[], onLine: (line: string) => void) {
    // A session of its own: Ctrl-C reaches the supervisor alone, which drains first; and one signal reaches all of it.
    this.#child = spawn("/bin/sh", ["-c", LIFELINE, "seawall-lifeline", program, ...args], {
      stdio: ["pipe", "inherit", "pipe"],
      detached: true,
    });
    this.#child.stdin?.on("error", () => undefined);
    if (this.#child.stderr) createInterface({ input: this.#child.stderr }).on("line", onLine);
    this.ended = this.#end();
  }

  /** Lets go of the lifeline and waits for the end. */
  async terminate(): Promise<void> {
    this.#child.stdin?.end();
    const kill = setTimeout(() => this.#killAll(), LONGEST_END_MS);
    await this.ended;
    clearTimeout(kill);
  }

  async #end(): Promise<string> {
    let words: string;
    try {
      const [code, signal] = (await once(this.#child, "close")) as [number | null, NodeJS.Signals | null];
      words = signal === null ? describeStatus(code ?? 0) : `signal ${signal}`;
    } catch (error) {
      words = error instanceof Error ? error.message : String(error);
    }
    this.#child.stdin?.destroy();
    // Should the shell have been killed alone, Envoy would still be there.
    this.#killAll();
    return words;
  }

  #killAll(): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // Nobody is left in the group: what we want.
    }
  }
}

function describeStatus(status: number): string {
  return status > 128 ? `signal ${status - 128}` : `exit code ${status}`;
}
