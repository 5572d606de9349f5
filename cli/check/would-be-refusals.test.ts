import { describe, expect, it } from "@jest/globals";
import { wouldBeRefusals } from "./would-be-refusals.ts";

function line(fields: object): string {
  return JSON.stringify({ direction: "inbound", workload: "shop/orders", ...fields });
}
const web = "spiffe://cluster.local/ns/shop/sa/web";
const denied = { verdict: "denied", policy: "default-deny/shop/orders" };

describe("what would be refused", () => {
  it("is told per caller, workload and rule, the most frequent first", () => {
    const refusals = wouldBeRefusals([
      line({ peerAddress: "10.0.0.9:4000", method: "GET", path: "/", audit: denied }),
      ...["/orders", "/orders", "/charges"].map((path) => line({ peer: web, method: "GET", path, audit: denied })),
      line({ peerAddress: "10.0.0.9:4001", method: "GET", path: "/", audit: denied }),
    ]);
    expect(refusals).toEqual([
      { caller: "shop/web", workload: "shop/orders", policy: denied.policy, calls: 3, operations: ["GET /orders", "GET /charges"] },
      { caller: "a caller without identity (10.0.0.9)", workload: "shop/orders", policy: denied.policy, calls: 2, operations: ["GET /"] },
    ]);
  });

  it("is neither what is allowed, nor what is no line of the access log", () => {
    const others = [
      line({ peer: web, audit: { verdict: "allowed", policy: "accesspolicy/shop/a/b" } }),
      line({ peer: web }),
      '[2026-01-01][info] words with "audit" in them',
      '{"audit": {',
    ];
    expect(wouldBeRefusals(others)).toEqual([]);
  });
});
