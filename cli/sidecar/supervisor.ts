import { setTimeout as pause } from "node:timers/promises";
import { CommandFailure } from "../command-failure.ts";
import { describeDuration } from "../duration.ts";
import type { AdminSocket } from "./admin-socket.ts";
import { EnvoyProcess } from "./envoy-process.ts";
import { ENVOY_LOG_FORMAT, type EnvoyNotice, readEnvoyLine } from "./envoy-words.ts";
import type { NoticeBoard } from "./notice-board.ts";
import { isFree } from "./occupied-ports.ts";
import { describeListeners } from "./ready-report.ts";

export interface SupervisorOptions {
  readonly program: string;
  readonly bootstrapFile: string;
  readonly admin: AdminSocket;
  readonly concurrency: number;
  readonly logLevel: string;
  readonly board: NoticeBoard;
  readonly say: (message: string) => void;
  /** Milliseconds. */
  readonly drainTimeout: number;
}

const BACK_OFF = { first: 250, longest: 10_000 };
/** A run that lasted so long counts as good: the next failure is the first again. */
const GOOD_RUN_MS = 30_000;
/** An Envoy that ended so often before it ever answered will not start at all. */
const MOST_FAILED_STARTS = 3;
const READY_POLL_MS = 50;
const LISTENERS_POLL_MS = 5_000;
const PORT_POLL_MS = 500;

/** Keeps one Envoy running: starts it again when it ends by itself, and when a port that it needs has become free. */
export class EnvoySupervisor {
  readonly #options: SupervisorOptions;
  /** `address:port` of listeners that wait for their port. */
  readonly #occupied = new Map<string, { readonly address: string; readonly port: number }>();
  /** Why Envoy did not accept its bootstrap in this run. */
  readonly #refusals: string[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Resolves when `stopping` was aborted and Envoy has ended. Throws CommandFailure when Envoy cannot start at all. */
  async run(stopping: AbortSignal): Promise<void> {
    const { say, board } = this.#options;
    let failures = 0;
    let everAnswered = false;
    while (!stopping.aborted) {
      const started = Date.now();
      this.#occupied.clear();
      this.#refusals.length = 0;
      const envoy = new EnvoyProcess(this.#options.program, this.#arguments(), (line) => this.#read(line));
      const over = new AbortController();
      const watching = this.#watch(envoy, AbortSignal.any([over.signal, stopping]), started);
      const ending = await Promise.race([envoy.ended, whenAborted(stopping)]);
      if (ending === STOPPED) {
        await this.#drain();
        await envoy.terminate();
        await watching;
        return;
      }
      over.abort();
      const { answered, freed } = await watching;
      everAnswered ||= answered;
      if (freed) {
        board.clear();
        continue;
      }
      const [refusal] = this.#refusals;
      if (!everAnswered && refusal !== undefined) throw CommandFailure.failed(`Envoy does not start: ${refusal}`);
      if (!everAnswered && failures >= MOST_FAILED_STARTS - 1)
        throw CommandFailure.failed(`${this.#options.program} ended ${failures + 1} times without starting (${ending})`);
      failures = Date.now() - started > GOOD_RUN_MS ? 1 : failures + 1;
      const wait = Math.min(BACK_OFF.longest, BACK_OFF.first * 2 ** (failures - 1));
      say(`Envoy ended by itself (${ending}); starting it again in ${describeDuration(wait)}`);
      await pause(wait, undefined, { signal: stopping }).catch(() => undefined);
    }
  }

  #arguments(): string[] {
    const { bootstrapFile, concurrency, logLevel } = this.#options;
    return [
      ...["--config-path", bootstrapFile, "--concurrency", String(concurrency)],
      // Nothing is taken over from an earlier run, so there is neither a base id to clash over nor shared memory.
      "--disable-hot-restart",
      ...["--log-level", logLevel, "--log-format", ENVOY_LOG_FORMAT],
      // How long connections of a filter chain that was replaced live on; and how they are told: at their next answer.
      ...["--drain-time-s", "30", "--drain-strategy", "immediate"],
      // The access log is read by people and tests: 10 s, the default, is too late.
      ...["--file-flush-interval-msec", "100"],
    ];
  }

  #read(line: string): void {
    const notice: EnvoyNotice = readEnvoyLine(line);
    if (notice.kind === "port-occupied") this.#occupied.set(`${notice.address}:${notice.port}`, notice);
    if (notice.kind === "start-refused") this.#refusals.push(notice.words);
    else this.#options.board.post(notice);
  }

  /** Follows one run: tells when it is ready and where it listens, and ends it when a port that it missed is free. */
  async #watch(envoy: EnvoyProcess, over: AbortSignal, started: number): Promise<{ readonly answered: boolean; readonly freed: boolean }> {
    const { admin, say } = this.#options;
    let answered = false;
    let told = "";
    let ready = false;
    const isOver = (): boolean => over.aborted;
    while (!isOver()) {
      if (!ready) {
        ready = await admin.isReady();
        answered ||=
          ready ||
          (await admin.get("/server_info").then(
            () => true,
            () => false,
          ));
        if (ready) say(`ready after ${describeDuration(Date.now() - started)}`);
      }
      if (ready) {
        const lines = await admin.listeners().then(describeListeners, () => []);
        const text = lines.join("\n");
        if (text !== told && text !== "") say(`${told === "" ? "listening" : "listening now"}:\n${text}`);
        told = text;
      }
      if (this.#occupied.size > 0 && (await this.#allFree())) {
        if (isOver()) break;
        say("the port is free now; starting Envoy again to take it");
        await envoy.terminate();
        return { answered: true, freed: true };
      }
      const wait = !ready ? READY_POLL_MS : this.#occupied.size > 0 ? PORT_POLL_MS : LISTENERS_POLL_MS;
      await pause(wait, undefined, { signal: over }).catch(() => undefined);
    }
    return { answered, freed: false };
  }

  async #allFree(): Promise<boolean> {
    const free = await Promise.all([...this.#occupied.values()].map(({ address, port }) => isFree(address, port)));
    return free.every(Boolean);
  }

  /** Asks callers to go elsewhere and waits for open requests, for a bounded time. */
  async #drain(): Promise<void> {
    const { admin, drainTimeout, say } = this.#options;
    const deadline = Date.now() + drainTimeout;
    try {
      await admin.post("/drain_listeners?graceful&skip_exit");
      let open = await this.#openRequests();
      if (open > 0) say(`waiting up to ${describeDuration(drainTimeout)} for ${open} open ${open === 1 ? "request" : "requests"}`);
      while (open > 0 && Date.now() < deadline) {
        await pause(READY_POLL_MS);
        open = await this.#openRequests();
      }
    } catch {
      // An Envoy that does not answer has nothing to drain.
    }
  }

  async #openRequests(): Promise<number> {
    const stats = await this.#options.admin.stats("^http\\..*\\.downstream_rq_active$");
    let sum = 0;
    for (const [name, value] of stats) if (!name.startsWith("http.admin.")) sum += value;
    return sum;
  }
}

const STOPPED = Symbol("the sidecar is told to stop");

function whenAborted(signal: AbortSignal): Promise<typeof STOPPED> {
  const { promise, resolve } = Promise.withResolvers<typeof STOPPED>();
  if (signal.aborted) resolve(STOPPED);
  else signal.addEventListener("abort", () => resolve(STOPPED), { once: true });
  return promise;
}
