/** The time, and being called later. Passed in, so that a test can live through a year. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Calls once after so many milliseconds, at most 2^31 - 1. Never keeps the process alive. Returns what cancels the call. */
  after(milliseconds: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
