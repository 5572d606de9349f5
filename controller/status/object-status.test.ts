/** What the API server is given, of what was found. */
import { describe, expect, it } from "@jest/globals";
import type { PolicyFindings } from "./condition.ts";
import { differs, isProgrammed, policyStatus, type Status, type StatusCondition } from "./object-status.ts";
import type { PolicyReport } from "./policy-tallies.ts";

const FINE: PolicyFindings = {
  mistakes: undefined,
  missing: [],
  covers: true,
  losses: [],
  tally: { affected: 2, programmed: 2, awaited: [] },
  unsettled: [],
};

function report(findings: Partial<PolicyFindings> = {}, services: readonly string[] = ["orders"]): PolicyReport {
  const all = { ...FINE, ...findings };
  return {
    subject: {
      key: "AccessPolicy/shop/reads",
      kind: "AccessPolicy",
      namespace: "shop",
      name: "reads",
      uid: "u",
      generation: 3,
      revision: "u/3",
      targets: services.map((name) => ({ words: name, ref: { group: "", kind: "Service", namespace: "shop", name }, missing: false })),
    },
    findings: all,
    targets: services.map((_name, position) => ({ position, findings: all })),
  };
}

const NOW = Date.parse("2026-01-02T03:04:05.678Z");

function conditions(status: Status): string[] {
  return (status["conditions"] as readonly StatusCondition[]).map(({ type, status: is, reason, message }) =>
    `${type} ${is} ${reason} ${message}`.trim(),
  );
}

describe("the conditions of a policy", () => {
  const pending = { affected: 9, programmed: 3, awaited: ["shop/a", "shop/b", "shop/c"] };
  it.each<[string, Partial<PolicyFindings>, string, string]>([
    ["runs everywhere", {}, "Accepted True Accepted", "Programmed True Programmed 2 of 2 sidecars"],
    [
      "covers nothing",
      { covers: false, tally: { affected: 0, programmed: 0, awaited: [] } },
      "ResolvedRefs True NoWorkloads no running workload is covered",
      "Programmed True Programmed 0 of 0 sidecars",
    ],
    [
      "is on its way",
      { tally: pending },
      "Accepted True Accepted",
      "Programmed False PartiallyProgrammed 3 of 9 sidecars; waiting for shop/a, shop/b, shop/c and 3 more",
    ],
    [
      "runs everywhere, while its callers are not told yet",
      { unsettled: ["seawall-1", "seawall-2"] },
      "Accepted True Accepted",
      "Programmed False Pending 2 of 2 sidecars; waiting for callers at seawall-1, seawall-2",
    ],
    [
      "is refused",
      { tally: { ...pending, rejection: { pod: "shop/b", words: "x: no" } } },
      "Accepted True Accepted",
      "Programmed False Rejected 3 of 9 sidecars; shop/b refuses x: no",
    ],
    [
      "names what is not there",
      { missing: ["Service shop/x"] },
      "ResolvedRefs False TargetNotFound not found: Service shop/x",
      "Programmed False TargetNotFound 2 of 2 sidecars; not found: Service shop/x",
    ],
    [
      "does not hold",
      { mistakes: "spec.a: no" },
      "Accepted False Invalid its targets refuse every request until it is mended: spec.a: no",
      "Programmed False Invalid 2 of 2 sidecars refuse because of it",
    ],
    [
      "yields to one of its own rank",
      {
        losses: [
          { reason: "Overridden", by: "K/a/b" },
          { reason: "Conflicted", by: "K/a/c" },
        ],
      },
      "Accepted False Conflicted K/a/c acts instead",
      "Programmed False Conflicted 2 of 2 sidecars, where no other policy acts instead",
    ],
    [
      "yields to a more specific one",
      { losses: [{ reason: "Overridden", by: "K/a/b" }] },
      "Accepted True Overridden K/a/b acts instead",
      "Programmed True Programmed 2 of 2 sidecars",
    ],
  ])("when it %s", (_case, findings, one, other) => {
    expect(conditions(policyStatus(report(findings), undefined, NOW))).toEqual(expect.arrayContaining([one, other]));
  });
});

describe("the status of a policy", () => {
  it("keeps the time of a condition that has not turned, and the conditions of others", () => {
    const before = policyStatus(report(), undefined, NOW);
    const theirs = { type: "Reviewed", status: "True", reason: "ByHand", message: "", lastTransitionTime: "2025-01-01T00:00:00Z" };
    const had = { ...before, conditions: [...(before["conditions"] as object[]), theirs] };
    expect(differs(had, policyStatus(report(), had, NOW + 60_000))).toBe(false);
    const after = policyStatus(report({ missing: ["Service shop/x"] }), had, NOW + 60_000);
    const times = (after["conditions"] as readonly StatusCondition[]).map(
      ({ type, lastTransitionTime }) => `${type} ${lastTransitionTime}`,
    );
    expect(times).toEqual([
      "Accepted 2026-01-02T03:04:05Z",
      "ResolvedRefs 2026-01-02T03:05:05Z",
      "Programmed 2026-01-02T03:05:05Z",
      "Reviewed 2025-01-01T00:00:00Z",
    ]);
  });

  it("has an entry for each target, 16 at most, and a message that fits", () => {
    const services = Array.from({ length: 20 }, (_item, index) => `service-${index}`);
    const status = policyStatus(report({ mistakes: "x".repeat(50_000) }, services), undefined, NOW);
    expect(status["ancestors"]).toHaveLength(16);
    expect(conditions(status)[0]!.length).toBeLessThan(5_000);
  });

  it("is known to say that this generation is programmed, and no other", () => {
    const status = policyStatus(report(), undefined, NOW);
    expect([isProgrammed(status, 3), isProgrammed(status, 4), isProgrammed(undefined, 3)]).toEqual([true, false, false]);
  });
});
