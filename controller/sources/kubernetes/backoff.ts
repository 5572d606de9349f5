export interface BackoffOptions {
  /** The longest first wait, in milliseconds; each further one may be twice as long as the one before. */
  readonly firstMs: number;
  readonly mostMs: number;
}

/** How long to wait before the next attempt: longer after each failure, and never for many at once the same. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #failures = 0;

  /** `random` gives numbers from 0 to 1. */
  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** Milliseconds; counts as one more failure. */
  next(): number {
    const { firstMs, mostMs } = this.#options;
    const ceiling = Math.min(mostMs, firstMs * 2 ** this.#failures);
    if (ceiling < mostMs) this.#failures++;
    return ceiling * (0.5 + this.#random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
