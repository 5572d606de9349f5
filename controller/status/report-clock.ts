/** Being called later. Passed in, so that a test can own the time. */
export interface ReportClock {
  /** Unix milliseconds. */
  now(): number;
  /** Calls once after so many milliseconds. Never keeps the process alive. Returns what cancels the call. */
  after(milliseconds: number, call: () => void): () => void;
}

export const systemReportClock: ReportClock = {
  now: () => Date.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};
