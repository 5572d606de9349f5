import { setTimeout as later } from "node:timers/promises";

/** Resolves with what `read` gives once it gives something; asks again and again, after `between`. Never ends by itself: the test's own time does. */
export async function until<Result>(
  read: () => Result | undefined | false | Promise<Result | undefined | false>,
  between: () => void = () => undefined,
): Promise<Result> {
  for (;;) {
    const result = await read();
    if (result !== undefined && result !== false) return result;
    await later(20);
    between();
  }
}
