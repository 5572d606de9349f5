import type { Clock } from "./clock.ts";

const INTERVAL_MS = 10_000;

/** Lets one line of each kind through every ten seconds, and tells with the next how many were left out. */
export class LogLimiter {
  readonly #log: (line: string) => void;
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { next: number; leftOut: number }>();

  constructor(log: (line: string) => void, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  line(kind: string, text: string): void {
    const now = this.#clock.now();
    const known = this.#kinds.get(kind);
    if (known && now < known.next) {
      known.leftOut++;
      return;
    }
    const leftOut = known?.leftOut ?? 0;
    this.#kinds.set(kind, { next: now + INTERVAL_MS, leftOut: 0 });
    this.#log(leftOut > 0 ? `${text} (and ${leftOut} more like it since the last such line)` : text);
  }
}
