interface Timer {
  readonly due: number;
  readonly call: () => void;
  handle: NodeJS.Timeout;
}

/** Node's timers fire at once when asked for more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The system's time, which a test moves on: for a control plane whose sidecars are processes, and live in the system's time. */
export class MovableClock {
  readonly #timers = new Set<Timer>();
  #movedBy = 0;

  now(): number {
    return Date.now() + this.#movedBy;
  }

  after(milliseconds: number, call: () => void): () => void {
    const due = this.now() + milliseconds;
    const timer: Timer = { due, call, handle: this.#arm(due, () => this.#fire(timer)) };
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer.handle);
      this.#timers.delete(timer);
    };
  }

  /** So many milliseconds pass at once; what falls due is called in its order. */
  move(milliseconds: number): void {
    this.#movedBy += milliseconds;
    for (const timer of [...this.#timers].sort((a, b) => a.due - b.due)) {
      clearTimeout(timer.handle);
      if (timer.due <= this.now()) this.#fire(timer);
      else timer.handle = this.#arm(timer.due, () => this.#fire(timer));
    }
  }

  #arm(due: number, call: () => void): NodeJS.Timeout {
    return setTimeout(call, Math.min(Math.max(due - this.now(), 0), LONGEST_TIMER_MS)).unref();
  }

  #fire(timer: Timer): void {
    if (this.#timers.delete(timer)) timer.call();
  }
}

/** The system's time as it was so long ago, for what a test makes older than it is. */
export function timeAgo(milliseconds: number): {
  readonly now: () => number;
  readonly after: (wait: number, call: () => void) => () => void;
} {
  return { now: () => Date.now() - milliseconds, after: (wait, call) => new MovableClock().after(wait, call) };
}
