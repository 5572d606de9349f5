import type { Clock } from "../clock.ts";

/** A clock that stands still until it is told to move. Timers fire in order while it moves, each at its own moment. */
export class FakeClock implements Clock {
  #now: number;
  #timers: { due: number; readonly call: () => void }[] = [];

  /** Noon of a day when all of this was new, in the middle of a second. */
  constructor(now = Date.UTC(2026, 10, 21, 12, 0, 0, 420)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { due: this.#now + milliseconds, call };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.length;
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.due);
      next.call();
    }
    this.#now = end;
  }

  /** Moves while timers stand still, as when a machine sleeps or its clock is set. */
  skip(milliseconds: number): void {
    this.#now += milliseconds;
    for (const timer of this.#timers) timer.due += milliseconds;
  }
}
