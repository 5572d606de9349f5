import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { Backoff } from "./backoff.ts";

const waits = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => backoff.next());

describe("the wait after a failure", () => {
  it("doubles up to its limit, and begins anew after a success", () => {
    const backoff = new Backoff({ firstMs: 100, mostMs: 1_000 }, () => 1);
    expect(waits(backoff, 6)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    backoff.reset();
    expect(waits(backoff, 2)).toEqual([100, 200]);
  });

  it("is at least half of that, by chance, so that not all come at once, however often it fails", () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.double({ min: 0, max: 1, noNaN: true }), (failures, chance) => {
        const backoff = new Backoff({ firstMs: 100, mostMs: 1_000 }, () => chance);
        waits(backoff, failures);
        const wait = backoff.next();
        const most = Math.min(1_000, 100 * 2 ** failures);
        expect(wait).toBeGreaterThanOrEqual(most / 2);
        expect(wait).toBeLessThanOrEqual(most);
      }),
    );
  });
});
