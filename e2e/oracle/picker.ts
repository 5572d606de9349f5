/** Turns a list of numbers into choices, the same ones every time: 0 takes the first, so a failure shrinks to the first of everything. */
export class Picker {
  readonly #numbers: readonly number[];
  #next = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  below(limit: number): number {
    const number = this.#numbers[this.#next++] ?? 0;
    return limit === 0 ? 0 : number % limit;
  }

  /** Undefined only where there is nothing to choose from. */
  optionally<T>(items: readonly T[] | undefined): T | undefined {
    return items?.[this.below(items.length)];
  }

  /** Throws where there is nothing to choose from: that is a bug of the oracle. */
  from<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("there is nothing to choose from");
    return item;
  }
}
