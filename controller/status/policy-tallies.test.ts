/** The leader's counts: incremental is what counting from scratch gives, after whatever happened. */
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { FakeClock } from "../../xds-server/delta/testing/fake-clock.ts";
import { AcknowledgementLedger, acknowledgedState } from "./acknowledgement-ledger.ts";
import { policyCoverage } from "./policy-coverage.ts";
import { type PolicyReport, PolicyTallies } from "./policy-tallies.ts";
import { SettledPolicies } from "./settled-policies.ts";
import { Settlement } from "./settlement.ts";
import { MeshSources } from "./testing/mesh-sources.ts";
import { allow, pod, policy, service } from "./testing/objects.ts";

function leader(): {
  mesh: MeshSources;
  ledger: AcknowledgementLedger;
  settlement: Settlement;
  clock: FakeClock;
  tallies: PolicyTallies;
  reports: [string, PolicyReport | undefined][];
  acknowledge: (policyName: string, podName: string) => void;
  fromScratch: () => Map<string, PolicyReport | undefined>;
} {
  const mesh = new MeshSources();
  const coverage = policyCoverage(mesh.graph, mesh.mesh, mesh.source);
  const ledger = new AcknowledgementLedger();
  const clock = new FakeClock();
  const reports: [string, PolicyReport | undefined][] = [];
  mesh.set(service("orders"), service("web"));
  mesh.synced();
  const settlement = new Settlement({ clock, patienceMs: 10_000 });
  const onReport = (key: string, report: PolicyReport | undefined): void => void reports.push([key, report]);
  const tallies = new PolicyTallies({ coverage, ledger, settlement, clock, intervalMs: 250, onReport });
  const acknowledge = (policyName: string, podName: string): void => {
    const found = coverage.pods.get(`shop/${podName}`);
    const subject = coverage.subjects.get(`AccessPolicy/shop/${policyName}`);
    if (found !== undefined && subject !== undefined) {
      ledger.record(subject.key, found.id, acknowledgedState(subject.revision, found.workload));
    }
  };
  const fromScratch = (): Map<string, PolicyReport | undefined> => {
    const anew = new PolicyTallies({
      ...{ coverage, ledger, settlement: new Settlement({ clock, patienceMs: 10_000 }), clock: new FakeClock(), intervalMs: 250 },
      onReport: () => undefined,
    });
    const found = new Map([...coverage.subjects.keys()].map((key) => [key, anew.report(key)] as const));
    anew.close();
    return found;
  };
  return { mesh, ledger, settlement, clock, tallies, reports, acknowledge, fromScratch };
}

function programmed(reports: readonly [string, PolicyReport | undefined][]): string[] {
  return reports.map(([key, report]) => {
    const tally = report?.findings.tally;
    return `${key.slice(key.lastIndexOf("/") + 1)} ${tally === undefined ? "is gone" : `${tally.programmed}/${tally.affected}`}`;
  });
}

describe("the leader's tallies", () => {
  it("are what counting from scratch gives, after any events", () => {
    const name = fc.constantFrom("orders-1", "orders-2", "web-1");
    const policyName = fc.constantFrom("reads", "writes", "all");
    const event = fc.oneof(
      fc.record({
        kind: fc.constant("pod" as const),
        name,
        app: fc.constantFrom("orders", "web", "none"),
        phase: fc.constantFrom("Running", "Pending"),
      }),
      fc.record({ kind: fc.constant("replaced" as const), name, uid: fc.constantFrom("a", "b") }),
      fc.record({ kind: fc.constant("pod-gone" as const), name }),
      fc.record({
        kind: fc.constant("policy" as const),
        name: policyName,
        target: fc.constantFrom("orders", "web", "nowhere"),
        generation: fc.integer({ min: 1, max: 3 }),
      }),
      fc.record({ kind: fc.constant("policy-gone" as const), name: policyName }),
      fc.record({ kind: fc.constant("acknowledged" as const), policy: policyName, name }),
      fc.record({ kind: fc.constant("taken back" as const), policy: policyName, name }),
      fc.record({ kind: fc.constant("rejected" as const), name, words: fc.constantFrom("no", undefined) }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.boolean()), { maxLength: 30 }), (events) => {
        const { mesh, ledger, tallies, acknowledge, fromScratch } = leader();
        mesh.set(pod("orders-1"), allow("reads", "orders", "web"));
        mesh.graph.tick();
        for (const [one, ticks] of events) {
          switch (one.kind) {
            case "pod":
              mesh.set(pod(one.name, { labels: { app: one.app }, phase: one.phase }));
              break;
            case "replaced":
              mesh.set(pod(one.name, { uid: `${one.uid}-${one.name}` }));
              break;
            case "pod-gone":
              mesh.delete("Pod", "shop", one.name);
              break;
            case "policy":
              mesh.set(allow(one.name, one.target, "web", one.generation));
              break;
            case "policy-gone":
              mesh.delete("AccessPolicy", "shop", one.name);
              break;
            case "acknowledged":
              acknowledge(one.policy, one.name);
              break;
            case "taken back":
              ledger.record(`AccessPolicy/shop/${one.policy}`, `uid-of-${one.name}`, undefined);
              break;
            case "rejected":
              ledger.recordRejection(`uid-of-${one.name}`, one.words);
          }
          if (ticks) mesh.graph.tick();
        }
        mesh.graph.tick();
        for (const [key, report] of fromScratch()) expect(tallies.report(key)).toEqual(report);
        expect(mesh.faults).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("are told once in a while as acknowledgements come in, and at once when the last has come", async () => {
    const { mesh, clock, reports, acknowledge } = leader();
    for (let number = 1; number <= 1000; number++) mesh.set(pod(`orders-${number}`));
    mesh.set(allow("reads", "orders", "web"));
    mesh.graph.tick();
    clock.advance(250);
    expect(programmed(reports.splice(0))).toContain("reads 0/1000");
    for (let number = 1; number <= 998; number++) acknowledge("reads", `orders-${number}`);
    await Promise.resolve();
    expect(reports).toEqual([]);
    clock.advance(250);
    expect(programmed(reports.splice(0))).toEqual(["reads 998/1000"]);
    acknowledge("reads", "orders-999");
    acknowledge("reads", "orders-1000");
    await Promise.resolve();
    expect(programmed(reports.splice(0))).toEqual(["reads 1000/1000"]);
    clock.advance(250);
    expect(reports).toEqual([]);
  });

  it("are told at once when the last replica has settled a policy whose sidecars run it already", async () => {
    const { mesh, clock, reports, acknowledge, settlement } = leader();
    const replica = new SettledPolicies();
    settlement.join("two", replica);
    mesh.set(pod("orders-1"), allow("reads", "orders", "web"));
    mesh.graph.tick();
    acknowledge("reads", "orders-1");
    await Promise.resolve();
    expect(reports).toEqual([]);
    clock.advance(250);
    expect(reports.splice(0).map(([, report]) => report?.findings.unsettled)).toEqual([["two"]]);
    replica.record("AccessPolicy/shop/reads", "uid-of-AccessPolicy-reads/1");
    await Promise.resolve();
    expect(reports.map(([, report]) => report?.findings.unsettled)).toEqual([[]]);
    mesh.delete("AccessPolicy", "shop", "reads");
    mesh.graph.tick();
    expect(settlement.awaitedAt("AccessPolicy/shop/reads")).toEqual([]);
  });

  it("do not count what was acknowledged of another generation", () => {
    const { mesh, tallies, acknowledge } = leader();
    mesh.set(pod("orders-1"), allow("reads", "orders", "web"));
    mesh.graph.tick();
    acknowledge("reads", "orders-1");
    const count = (): unknown => tallies.report("AccessPolicy/shop/reads")?.findings.tally;
    expect(count()).toEqual({ affected: 1, programmed: 1, awaited: [] });
    mesh.set(allow("reads", "orders", "web", 2));
    mesh.graph.tick();
    expect(count()).toEqual({ affected: 1, programmed: 0, awaited: ["shop/orders-1"] });
  });

  it("touch only the policies that an event concerns", () => {
    const { mesh, clock, reports } = leader();
    mesh.set(pod("orders-1"), pod("web-1"), allow("reads", "orders", "web"), allow("all", "web", "orders"));
    mesh.graph.tick();
    clock.advance(250);
    reports.splice(0);
    mesh.set(pod("web-2"));
    mesh.graph.tick();
    clock.advance(250);
    expect(programmed(reports)).toEqual(["all 0/2"]);
  });

  it("tell each target of a policy apart", () => {
    const { mesh, tallies, acknowledge } = leader();
    const spec = {
      targetRefs: [
        { kind: "Service", name: "orders" },
        { kind: "Service", name: "nowhere" },
      ],
      action: "Allow",
      rules: [{ name: "all", from: [{ serviceAccounts: ["web"] }] }],
    };
    mesh.set(pod("orders-1"), policy("AccessPolicy", "reads", 1, spec));
    mesh.graph.tick();
    acknowledge("reads", "orders-1");
    const report = tallies.report("AccessPolicy/shop/reads");
    expect(report?.findings).toMatchObject({ missing: ["Service shop/nowhere"], tally: { affected: 1, programmed: 1 } });
    expect(report?.targets.map(({ findings }) => [findings.missing, findings.tally.affected])).toEqual([
      [[], 1],
      [["Service shop/nowhere"], 0],
    ]);
  });
});
