import { randomBytes } from "node:crypto";

/** Where serial numbers, token ids and jitter come from. Keys are always made by node:crypto itself. */
export interface Randomness {
  bytes(count: number): Buffer;
  /** At least 0 and below 1; need not be unpredictable. */
  fraction(): number;
}

export const systemRandomness: Randomness = {
  bytes: (count) => randomBytes(count),
  fraction: () => Math.random(),
};
