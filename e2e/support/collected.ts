import { PATIENCE_MS } from "./eventually.ts";

/** Things that arrive over time (log lines, requests), kept in order, that a test can wait on. */
export class Collected<T> {
  readonly #items: T[] = [];
  readonly #waiting = new Set<(item: T) => void>();
  readonly #context: () => string;

  /** `context` is appended to the error of a wait that ran out of time: whatever helps to see why. */
  constructor(context: () => string = () => "") {
    this.#context = context;
  }

  get items(): readonly T[] {
    return this.#items;
  }

  add(item: T): void {
    this.#items.push(item);
    for (const waiting of [...this.#waiting]) waiting(item);
  }

  clear(): void {
    this.#items.length = 0;
  }

  /** The first item, past or future, for which `predicate` holds. Rejects after `timeoutMs`. */
  async waitFor(predicate: (item: T) => boolean, timeoutMs = PATIENCE_MS): Promise<T> {
    const past = this.#items.find(predicate);
    if (past !== undefined) return past;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiting = (item: T): void => {
      if (predicate(item)) resolve(item);
    };
    this.#waiting.add(waiting);
    const timer = setTimeout(() => {
      const last = this.#items.slice(-10).map((item) => (typeof item === "string" ? item : JSON.stringify(item)));
      reject(
        new Error(
          `nothing of ${this.#items.length} items matched within ${timeoutMs} ms; the last:\n${last.join("\n")}\n${this.#context()}`,
        ),
      );
    }, timeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(waiting);
    }
  }

  /** Resolves with the items as soon as there are `count` of them. */
  async waitForCount(count: number, timeoutMs = PATIENCE_MS): Promise<readonly T[]> {
    if (this.#items.length < count) await this.waitFor(() => this.#items.length >= count, timeoutMs);
    return this.#items;
  }
}
