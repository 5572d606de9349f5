import { setTimeout as pause } from "node:timers/promises";

const POLL_MS = 5;

/** Asks until there is an answer. Rejects after `timeoutMs`, saying what did not come; `context` adds what helps to see why. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  { timeoutMs = 20_000, context = () => "" }: { readonly timeoutMs?: number; readonly context?: () => string } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`it did not come to it that ${what}, within ${timeoutMs} ms\n${context()}`);
    await pause(POLL_MS);
  }
}
