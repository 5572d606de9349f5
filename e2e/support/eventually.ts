/**
 * Bounded waiting. A test waits for a condition, never for a time; the bound is there so that what never comes fails
 * with what was awaited, and is far beyond what the slowest machine needs: it costs nothing while all goes well.
 */
import { setTimeout as pause } from "node:timers/promises";

/** How long a test waits for anything, in milliseconds. Well below jest's `testTimeout`, whose message would say nothing. */
export const PATIENCE_MS = 120_000;
const POLL_MS = 10;

export interface Patience {
  readonly timeoutMs?: number;
  /** Adds to the failure what helps to see why. */
  readonly context?: () => string;
}

/** Asks until there is an answer. Rejects when its time is over, saying what did not come. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  { timeoutMs = PATIENCE_MS, context = () => "" }: Patience = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(failure(what, timeoutMs, context));
    await pause(POLL_MS);
  }
}

/** Asks until it holds. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, patience: Patience = {}): Promise<void> {
  await eventually(what, async () => ((await holds()) ? true : undefined), patience);
}

/** What the promise gives, if that comes in time. */
export async function within<T>(
  what: string,
  promise: PromiseLike<T>,
  { timeoutMs = PATIENCE_MS, context = () => "" }: Patience = {},
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(failure(what, timeoutMs, context))), timeoutMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function failure(what: string, timeoutMs: number, context: () => string): string {
  return `it did not come to it that ${what}, within ${timeoutMs / 1000} s\n${context()}`;
}
