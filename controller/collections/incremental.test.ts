/** Incremental = computed from scratch, for a graph of several layers and any sequence of events. */
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Change, Collection, Index, Source } from "./collection.ts";
import { Graph } from "./graph.ts";
import type { Fault } from "./tick-report.ts";

interface Pod {
  readonly namespace: string;
  readonly labels: readonly string[];
  readonly account: string;
}
interface Policy {
  readonly namespace: string;
  readonly selector: string;
  readonly also: string;
  readonly allowed: readonly string[];
}

interface Layers {
  readonly graph: Graph;
  readonly faults: Fault[];
  readonly pods: Source<string, Pod>;
  readonly policies: Source<string, Policy>;
  readonly extraPolicies: Source<string, Policy>;
  readonly all: readonly Collection<string, unknown>[];
  readonly indexes: readonly Index<string, string, unknown>[];
}

/** Lookups by key, index, predicate and as a whole, over several layers, in a form like that of the mesh. */
function build(): Layers {
  const faults: Fault[] = [];
  const graph = new Graph({ onError: (fault) => faults.push(fault) });
  const pods = graph.source<string, Pod>("pods");
  const policies = graph.source<string, Policy>("policies");
  const extraPolicies = graph.source<string, Policy>("extra policies");
  const effective = graph.join("effective policies", [policies, extraPolicies]);
  const bySelector = graph.index("policies by selector", effective, (policy) => [
    `${policy.namespace}|${policy.selector}`,
    `${policy.namespace}|*`,
  ]);
  const podsByAccount = graph.index<string, string, Pod>("pods by account", pods, (pod) => [`${pod.namespace}/${pod.account}`]);
  const workloads = graph.deriveMany("workloads", pods, (pod, key) =>
    pod.labels.map((label) => [`${key}/${label}`, { pod: key, namespace: pod.namespace, label }] as const),
  );
  const rules = graph.derive("rules", workloads, (workload, _key, context) => {
    const pod = context.fetch(pods, workload.pod);
    if (pod === undefined) throw new Error("a workload without its pod: old and new were mixed");
    if (!pod.labels.includes(workload.label)) throw new Error("a workload of an old pod");
    const selecting = context.fetchIndexWhere(bySelector, `${workload.namespace}|${workload.label}`, (policy) =>
      pod.labels.includes(policy.also),
    );
    return selecting.length === 0 ? undefined : { allowed: selecting.flatMap((policy) => policy.allowed) };
  });
  const rulesByAccount = graph.index("rules by account", rules, (rule) => rule.allowed);
  const callers = graph.derive("callers", rules, (rule, _key, context) =>
    rule.allowed.flatMap((account) => context.fetchIndex(podsByAccount, account).map((pod) => pod.labels.join())),
  );
  const visibility = graph.derive("visibility", pods, (pod, key, context) => ({
    may: context.fetchIndex(rulesByAccount, `${pod.namespace}/${pod.account}`).length,
    // A chain of lookups in derived collections, where each depends on what the one before gave.
    first: context.fetch(callers, `${key}/${context.fetch(workloads, `${key}/x`)?.label ?? "y"}`),
  }));
  const summary = graph.singleton("summary", (context) => ({
    policies: context.fetchAll(effective).length,
    callers: context.fetchAll(callers),
    ofShop: context.fetchIndex(bySelector, "shop|*"),
  }));
  return {
    graph,
    faults,
    pods,
    policies,
    extraPolicies,
    all: [pods, policies, extraPolicies, effective, workloads, rules, callers, visibility, summary],
    indexes: [bySelector, podsByAccount, rulesByAccount],
  };
}

function contentOf(layers: Layers): unknown {
  return {
    collections: layers.all.map((collection) => [collection.name, Object.fromEntries(collection.entries())]),
    indexes: layers.indexes.map((index) => [index.name, Object.fromEntries([...index.keys()].map((group) => [group, index.get(group)]))]),
  };
}

function fromScratch(live: Layers): unknown {
  const fresh = build();
  fresh.pods.replaceAll(live.pods.entries());
  fresh.policies.replaceAll(live.policies.entries());
  fresh.extraPolicies.replaceAll(live.extraPolicies.entries());
  syncAll(fresh);
  fresh.graph.tick();
  return contentOf(fresh);
}

function syncAll(layers: Layers): void {
  layers.pods.markSynced();
  layers.policies.markSynced();
  layers.extraPolicies.markSynced();
}

/** Content is compared strictly, and a prototype is no content. */
const PLAIN = { noNullPrototype: true } as const;
const namespace = fc.constantFrom("shop", "bank");
const label = fc.constantFrom("x", "y", "z");
const account = fc.constantFrom("web", "api");
const pod: fc.Arbitrary<Pod> = fc.record({ namespace, labels: fc.uniqueArray(label), account }, PLAIN);
const policy: fc.Arbitrary<Policy> = fc.record(
  {
    namespace,
    selector: label,
    also: label,
    allowed: fc.array(
      fc.tuple(namespace, account).map((parts) => parts.join("/")),
      { maxLength: 3 },
    ),
  },
  PLAIN,
);
const name = fc.constantFrom("a", "b", "c", "d", "e");

type Event = (layers: Layers) => void;
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(name, pod).map(
      ([key, value]): Event =>
        (layers) =>
          layers.pods.set(key, value),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(name, policy).map(
      ([key, value]): Event =>
        (layers) =>
          layers.policies.set(key, value),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(name, policy).map(
      ([key, value]): Event =>
        (layers) =>
          layers.extraPolicies.set(key, value),
    ),
  },
  {
    weight: 2,
    arbitrary: name.map(
      (key): Event =>
        (layers) =>
          layers.pods.delete(key),
    ),
  },
  {
    weight: 2,
    arbitrary: name.map(
      (key): Event =>
        (layers) =>
          layers.policies.delete(key),
    ),
  },
  {
    weight: 1,
    arbitrary: name.map(
      (key): Event =>
        (layers) =>
          layers.extraPolicies.delete(key),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.array(fc.tuple(name, policy)).map(
      (entries): Event =>
        (layers) =>
          layers.policies.replaceAll(entries),
    ),
  },
);
const ticks = fc.array(fc.array(event, { minLength: 1, maxLength: 4 }), { maxLength: 12 });

describe("after any sequence of events", () => {
  it("every collection and index is what a computation from scratch gives", () => {
    fc.assert(
      fc.property(ticks, (sequence) => {
        const live = build();
        syncAll(live);
        for (const events of sequence) {
          for (const apply of events) apply(live);
          live.graph.tick();
          expect(contentOf(live)).toStrictEqual(fromScratch(live));
        }
        expect(live.faults).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("the published changes lead from each content to the next, and none is empty", () => {
    fc.assert(
      fc.property(ticks, (sequence) => {
        const live = build();
        const mirrors = new Map(live.all.map((collection) => [collection.name, new Map<string, unknown>()]));
        const publications: (readonly [name: string, changes: ReadonlyMap<string, Change<unknown>>])[] = [];
        for (const collection of live.all) collection.onChange((changes) => publications.push([collection.name, changes]));
        syncAll(live);
        for (const events of sequence) {
          for (const apply of events) apply(live);
          live.graph.tick();
          for (const [collection, changes] of publications.splice(0)) follow(mirrors.get(collection)!, changes);
          for (const collection of live.all) expect(mirrors.get(collection.name)).toEqual(new Map(collection.entries()));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("a replay of everything is silent and runs no transform", () => {
    fc.assert(
      fc.property(ticks, (sequence) => {
        const live = build();
        syncAll(live);
        live.graph.tick();
        for (const events of sequence) {
          for (const apply of events) apply(live);
          live.graph.tick();
        }
        for (const source of [live.pods, live.policies, live.extraPolicies])
          source.replaceAll(structuredClone([...source.entries()]) as never);
        const report = live.graph.tick();
        expect(report.published).toBe(false);
        expect([...report.collections].filter(([, { changed }]) => changed > 0)).toEqual([]);
        expect([...report.collections.keys()].filter((collection) => !/^(pods|policies|extra policies)$/.test(collection))).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

function follow(mirror: Map<string, unknown>, changes: ReadonlyMap<string, Change<unknown>>): void {
  expect(changes.size).toBeGreaterThan(0);
  for (const [key, change] of changes) {
    switch (change.kind) {
      case "added":
        expect(mirror.has(key)).toBe(false);
        mirror.set(key, change.value);
        break;
      case "updated":
        expect(mirror.get(key)).toEqual(change.old);
        expect(change.value).not.toEqual(change.old);
        mirror.set(key, change.value);
        break;
      case "removed":
        expect(mirror.get(key)).toEqual(change.old);
        mirror.delete(key);
        break;
      default:
        change satisfies never;
    }
  }
}
