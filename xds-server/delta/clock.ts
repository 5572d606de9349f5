/** Time as the server sees it, so that a test can own it. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Runs once after a delay in milliseconds, of any length. The returned function takes it back. */
  after(delayMs: number, run: () => void): () => void;
}

/** The longest delay that Node's timers take; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const due = Date.now() + delayMs;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const left = due - Date.now();
      timer = setTimeout(left > LONGEST_TIMER_MS ? arm : run, Math.min(Math.max(left, 0), LONGEST_TIMER_MS));
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
};
