/** The two times of an election: one that only moves forward, to judge by, and one to write down for people to read. */
export interface LeaseClock {
  /** Milliseconds since some moment; never set back or forward. */
  monotonic(): number;
  /** Unix milliseconds. */
  now(): number;
  /** Calls once after so many milliseconds. Never keeps the process alive. Returns what cancels the call. */
  after(milliseconds: number, call: () => void): () => void;
}

export const systemLeaseClock: LeaseClock = {
  monotonic: () => performance.now(),
  now: () => Date.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};
