import type { Leadership } from "../leadership.ts";

/** An election that a test decides. */
export class Election implements Leadership {
  #leading: boolean;
  readonly #listeners = new Set<() => void>();

  constructor(leading: boolean) {
    this.#leading = leading;
  }

  get leading(): boolean {
    return this.#leading;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  decide(leading: boolean): void {
    this.#leading = leading;
    for (const listener of this.#listeners) listener();
  }
}
