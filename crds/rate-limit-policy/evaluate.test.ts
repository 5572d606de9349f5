import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { PolicyRequest } from "../core/request.ts";
import { type Buckets, evaluate, limitsOf, type RateLimitPolicy, type RateLimitPolicySpec, stageOf } from "./index.ts";

type Limit = RateLimitPolicySpec["limits"][number];
const port = { number: 8080, protocol: "HTTP" } as const;
const request: PolicyRequest = { method: "GET", path: "/", host: "orders", headers: [], peerAddress: "192.0.2.7", jwts: [] };
const policy = (name: string, limits: Limit[], enforcement: "Enforce" | "Audit" = "Enforce"): RateLimitPolicy => ({
  apiVersion: "seawall.dev/v1alpha1",
  kind: "RateLimitPolicy",
  metadata: { name, namespace: "shop" },
  spec: { enforcement, limits },
});
const ask = (limits: Limit[], buckets: Buckets, now: number) =>
  evaluate(limitsOf([policy("p", limits)]), "after-access", request, port, buckets, now);

describe("a bucket", () => {
  const limit: Limit = { name: "l", requests: 6, window: "1m", burst: 2 };

  it("admits its burst, then one request for each share of the window", () => {
    let buckets: Buckets = new Map();
    const admittedAt = (now: number): boolean => {
      const result = ask([limit], buckets, now);
      ({ buckets } = result);
      return result.refused === undefined;
    };
    expect([0, 0, 0, 9_999, 10_000, 10_001, 20_000, 20_000].map(admittedAt)).toEqual([true, true, false, false, true, false, true, false]);
    expect([100_000, 100_000, 100_000].map(admittedAt)).toEqual([true, true, false]);
  });

  it("tells a refused caller the whole seconds after which it is admitted, and no more than one too many", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 3600 }),
        fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 30 }),
        (requests, seconds, pauses) => {
          const one: Limit = { name: "l", requests, window: `${seconds}s`, burst: 1 };
          let buckets: Buckets = new Map();
          let now = 0;
          for (const pause of pauses) {
            now += pause;
            const result = ask([one], buckets, now);
            ({ buckets } = result);
            if (result.refused === undefined) continue;
            const { retryAfterSeconds } = result.refused;
            expect(ask([one], buckets, now + retryAfterSeconds * 1000 + 1).refused).toBeUndefined();
            if (retryAfterSeconds > 1) expect(ask([one], buckets, now + (retryAfterSeconds - 1) * 1000 - 1).refused).toBeDefined();
          }
        },
      ),
    );
  });
});

describe("several limits", () => {
  it("must all admit; those before the refusing one have counted, those behind it were not asked", () => {
    const limits: Limit[] = [
      { name: "a", requests: 5, window: "1h" },
      { name: "b", requests: 1, window: "1h" },
      { name: "c", requests: 5, window: "1h" },
    ];
    const { buckets } = ask(limits, new Map(), 0);
    const second = ask(limits, buckets, 0);
    expect(second.refused?.by).toBe("ratelimitpolicy/shop/p/b");
    expect(second.matched.map(({ name, remaining }) => [name.slice(-1), remaining])).toEqual([
      ["a", 3],
      ["b", 0],
    ]);
  });

  it("count in the order of the policies' names", () => {
    const limit: Limit = { name: "l", requests: 1, window: "1h" };
    expect(limitsOf([policy("b", [limit]), policy("a", [limit])]).map(({ name }) => name)).toEqual([
      "ratelimitpolicy/shop/a/l",
      "ratelimitpolicy/shop/b/l",
    ]);
  });

  it("refuse nobody when they are audited, and are told apart", () => {
    const limits = limitsOf([policy("p", [{ name: "l", requests: 1, window: "1h" }], "Audit")]);
    const first = evaluate(limits, "after-access", request, port, new Map(), 0);
    const second = evaluate(limits, "after-access", request, port, first.buckets, 0);
    expect([second.refused, second.matched[0]?.admitted]).toEqual([undefined, false]);
  });
});

describe("a limit per address", () => {
  const limit: Limit = { name: "l", per: [{ type: "Address" }], requests: 1, window: "1h" };

  it("alone counts before authentication, with another key after it", () => {
    expect(stageOf(limit)).toBe("before-authentication");
    expect(stageOf({ ...limit, per: [{ type: "Address" }, { type: "Identity" }] })).toBe("after-access");
    expect(ask([limit], new Map(), 0).matched).toEqual([]);
  });
});
