import { describe, expect, it } from "@jest/globals";
import { FakeClock } from "../../xds-server/delta/testing/fake-clock.ts";
import { SettledPolicies } from "./settled-policies.ts";
import { Settlement } from "./settlement.ts";

const POLICY = "AccessPolicy/shop/reads";
const PATIENCE = 10_000;

function leader(): { settlement: Settlement; clock: FakeClock; heard: string[]; givenUp: string[]; one: SettledPolicies } {
  const clock = new FakeClock();
  const heard: string[] = [];
  const givenUp: string[] = [];
  const settlement = new Settlement({
    clock,
    patienceMs: PATIENCE,
    onGivenUp: (policy, names) => givenUp.push(`${policy} ${names.join()}`),
  });
  settlement.listen((policy) => heard.push(policy));
  const one = new SettledPolicies();
  settlement.join("one", one);
  return { settlement, clock, heard, givenUp, one };
}

describe("a policy", () => {
  it("is settled when every replica has brought this very revision to all whom it concerns", () => {
    const { settlement, heard, one } = leader();
    const two = new SettledPolicies();
    settlement.join("two", two);
    settlement.expect(POLICY, "1");
    expect(settlement.awaitedAt(POLICY)).toEqual(["one", "two"]);
    one.record(POLICY, "1");
    two.record(POLICY, "0");
    expect(settlement.awaitedAt(POLICY)).toEqual(["two"]);
    expect(heard).toEqual([]);
    two.record(POLICY, "1");
    expect(settlement.awaitedAt(POLICY)).toEqual([]);
    expect(heard).toEqual([POLICY]);
    settlement.expect(POLICY, "2");
    one.record(POLICY, "2");
    expect(settlement.awaitedAt(POLICY)).toEqual(["two"]);
  });

  it("is settled at once where the replicas were quicker than the leader", () => {
    const { settlement, heard, one, clock } = leader();
    one.record(POLICY, "2");
    settlement.expect(POLICY, "2");
    expect(settlement.awaitedAt(POLICY)).toEqual([]);
    expect(heard).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("waits for no replica that leaves, and is not unsettled by one that comes", () => {
    const { settlement, heard, one } = leader();
    const leave = settlement.join("two", new SettledPolicies());
    settlement.expect(POLICY, "1");
    one.record(POLICY, "1");
    leave();
    expect(heard).toEqual([POLICY]);
    settlement.join("three", new SettledPolicies());
    expect(settlement.awaitedAt(POLICY)).toEqual([]);
  });

  it("waits for what a replica says that came again, and not for what it said before", () => {
    const { settlement, heard, one } = leader();
    const leaveEarlier = settlement.join("two", new SettledPolicies());
    const again = new SettledPolicies();
    settlement.join("two", again);
    settlement.expect(POLICY, "1");
    one.record(POLICY, "1");
    leaveEarlier();
    expect(settlement.awaitedAt(POLICY)).toEqual(["two"]);
    again.record(POLICY, "1");
    expect(heard).toEqual([POLICY]);
  });

  it("waits for a replica that serves and has not come to this leader yet, until it serves no longer", () => {
    const { settlement, heard, one } = leader();
    for (const name of ["one", "two", "three"]) settlement.serves(name);
    settlement.expect(POLICY, "1");
    one.record(POLICY, "1");
    expect(settlement.awaitedAt(POLICY)).toEqual(["three", "two"]);
    const two = new SettledPolicies();
    settlement.join("two", two);
    two.record(POLICY, "1");
    expect(settlement.awaitedAt(POLICY)).toEqual(["three"]);
    settlement.servesNoLonger("three");
    expect(heard).toEqual([POLICY]);
  });

  it("waits no longer than patience lasts, which is said, and begins anew with the next revision", () => {
    const { settlement, clock, heard, givenUp, one } = leader();
    settlement.expect(POLICY, "1");
    clock.advance(PATIENCE - 1);
    settlement.expect(POLICY, "2");
    clock.advance(PATIENCE - 1);
    expect(heard).toEqual([]);
    clock.advance(1);
    expect([heard, givenUp]).toEqual([[POLICY], [`${POLICY} one`]]);
    expect(settlement.awaitedAt(POLICY)).toEqual([]);
    settlement.expect(POLICY, "3");
    expect(settlement.awaitedAt(POLICY)).toEqual(["one"]);
    one.record(POLICY, "3");
    expect(clock.pending).toBe(0);
  });

  it("that is gone is waited for no longer", () => {
    const { settlement, clock, heard, one } = leader();
    settlement.expect(POLICY, "1");
    settlement.forget(POLICY);
    one.record(POLICY, "1");
    expect(heard).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
