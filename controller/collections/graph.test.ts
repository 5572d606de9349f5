import { describe, expect, it } from "@jest/globals";
import { SINGLETON, type TransformContext } from "./collection.ts";
import { Graph } from "./graph.ts";
import type { Fault } from "./tick-report.ts";

interface Pod {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}
interface Policy {
  readonly namespace: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly text: string;
}

function collectingGraph(): { graph: Graph; faults: Fault[] } {
  const faults: Fault[] = [];
  return { graph: new Graph({ onError: (fault) => faults.push(fault) }), faults };
}

describe("the work of a tick", () => {
  it("computes again one of 100 candidates when an edit satisfies the predicate of one", () => {
    const graph = new Graph();
    const pods = graph.source<string, Pod>("pods");
    const policies = graph.source<string, Policy>("policies");
    const byNamespace = graph.index("policies by namespace", policies, (policy) => [policy.namespace]);
    const runs: string[] = [];
    const protectedPods = graph.derive("protected pods", pods, (pod, key, context) => {
      runs.push(key);
      const selecting = context.fetchIndexWhere(byNamespace, pod.namespace, (policy) =>
        Object.entries(policy.selector).every(([label, value]) => pod.labels[label] === value),
      );
      return selecting.map((policy) => policy.text);
    });
    for (let number = 0; number < 100; number++) {
      pods.set(`shop/pod-${number}`, { namespace: "shop", labels: { app: `app-${number}` } });
    }
    pods.set("else/pod", { namespace: "else", labels: { app: "app-7" } });
    policies.set("p", { namespace: "shop", selector: { app: "app-7" }, text: "first" });
    pods.markSynced();
    policies.markSynced();
    graph.tick();
    expect(runs).toHaveLength(101);
    expect(protectedPods.get("shop/pod-7")).toEqual(["first"]);

    runs.length = 0;
    policies.set("p", { namespace: "shop", selector: { app: "app-7" }, text: "second" });
    const report = graph.tick();
    expect(runs).toEqual(["shop/pod-7"]);
    expect(report.collections.get("protected pods")).toEqual({ recomputed: 1, changed: 1 });

    runs.length = 0;
    policies.set("p", { namespace: "shop", selector: { app: "app-9" }, text: "second" });
    graph.tick();
    expect(runs.sort()).toEqual(["shop/pod-7", "shop/pod-9"]);
    expect(protectedPods.get("shop/pod-7")).toEqual([]);
    expect(protectedPods.get("shop/pod-9")).toEqual(["second"]);

    runs.length = 0;
    policies.delete("p");
    policies.set("q", { namespace: "elsewhere", selector: {}, text: "third" });
    graph.tick();
    expect(runs).toEqual(["shop/pod-9"]);
  });

  it("computes an entry once although its input and several of its lookups change", () => {
    const graph = new Graph();
    const left = graph.source<string, number>("left");
    const right = graph.source<string, number>("right");
    const doubled = graph.derive("doubled", right, (value) => value * 2);
    let runs = 0;
    const sum = graph.derive("sum", left, (value, key, context) => {
      runs++;
      return value + (context.fetch(right, key) ?? 0) + (context.fetch(doubled, key) ?? 0);
    });
    left.set("a", 1);
    right.set("a", 1);
    left.markSynced();
    right.markSynced();
    graph.tick();
    left.set("a", 2);
    right.set("a", 2);
    graph.tick();
    expect(runs).toBe(2);
    expect(sum.get("a")).toBe(8);
  });

  it("stops where an output is equal", () => {
    const graph = new Graph();
    const numbers = graph.source<string, number>("numbers");
    const parities = graph.derive("parities", numbers, (value) => ({ odd: value % 2 === 1 }));
    let runs = 0;
    graph.derive("words", parities, ({ odd }) => {
      runs++;
      return odd ? "odd" : "even";
    });
    numbers.set("a", 1);
    numbers.markSynced();
    graph.tick();
    numbers.set("a", 3);
    const report = graph.tick();
    expect(runs).toBe(1);
    expect([...report.collections]).toEqual([
      ["numbers", { recomputed: 1, changed: 1 }],
      ["parities", { recomputed: 1, changed: 0 }],
    ]);
  });

  it("forgets the lookups of earlier runs", () => {
    const graph = new Graph();
    const pointers = graph.source<string, string>("pointers");
    const values = graph.source<string, number>("values");
    let runs = 0;
    const followed = graph.derive("followed", pointers, (pointer, _key, context) => {
      runs++;
      return context.fetch(values, pointer);
    });
    pointers.set("p", "x");
    values.set("x", 1);
    values.set("y", 2);
    pointers.markSynced();
    values.markSynced();
    graph.tick();
    pointers.set("p", "y");
    graph.tick();
    expect(runs).toBe(2);
    values.set("x", 10);
    graph.tick();
    expect(runs).toBe(2);
    values.set("y", 20);
    graph.tick();
    expect([runs, followed.get("p")]).toEqual([3, 20]);
    pointers.delete("p");
    values.set("y", 30);
    graph.tick();
    expect([runs, followed.size]).toEqual([3, 0]);
  });

  it("tracks what was looked up and not found", () => {
    const graph = new Graph();
    const names = graph.source<string, string>("names");
    const values = graph.source<string, number>("values");
    const byParity = graph.index("by parity", values, (value) => [value % 2 === 0 ? "even" : "odd"]);
    const found = graph.derive("found", names, (name, _key, context) => ({
      value: context.fetch(values, name),
      odd: context.fetchIndex(byParity, "odd"),
    }));
    names.set("n", "x");
    names.markSynced();
    values.markSynced();
    graph.tick();
    expect(found.get("n")).toEqual({ value: undefined, odd: [] });
    values.set("x", 4);
    values.set("z", 5);
    values.set("y", 3);
    graph.tick();
    expect(found.get("n")).toEqual({ value: 4, odd: [3, 5] });
  });

  it("lists by key, whatever the order of events", () => {
    const graph = new Graph();
    const values = graph.source<string, string>("values");
    const groups = graph.index("groups", values, (value) => [value.slice(0, 1), "all", "all"]);
    const listed = graph.singleton("listed", (context) => ({
      all: context.fetchAll(values),
      grouped: context.fetchIndex(groups, "all"),
      some: context.fetchIndexWhere(groups, "v", (value) => value !== "v2"),
    }));
    values.markSynced();
    for (const number of [5, 1, 4, 2, 3]) {
      values.set(`k${number}`, `v${number}`);
      graph.tick();
    }
    values.delete("k4");
    values.set("k1", "w1");
    graph.tick();
    expect(listed.get(SINGLETON)).toEqual({ all: ["w1", "v2", "v3", "v5"], grouped: ["w1", "v2", "v3", "v5"], some: ["v3", "v5"] });
    expect(groups.get("all").map(([key]) => key)).toEqual(["k1", "k2", "k3", "k5"]);
  });

  it("takes the equality that it is given", () => {
    const graph = new Graph();
    const words = graph.source<string, string>("words", { equal: (one, other) => one.toLowerCase() === other.toLowerCase() });
    words.set("a", "Word");
    words.markSynced();
    graph.tick();
    words.set("a", "WORD");
    expect(graph.tick().published).toBe(false);
    expect(words.get("a")).toBe("Word");
  });
});

describe("the publication of a tick", () => {
  it("comes when everything has been computed: listeners of collections first, those of the graph last", () => {
    const order: string[] = [];
    const graph = new Graph({ onTick: () => order.push("tick (option)") });
    const numbers = graph.source<string, number>("numbers");
    const doubled = graph.derive("doubled", numbers, (value) => value * 2);
    numbers.onChange(() => order.push(`numbers, doubled is ${doubled.get("a")}`));
    doubled.onChange(() => order.push("doubled"));
    const unsubscribe = graph.onTick((report) => order.push(`tick ${[...report.collections.keys()].join()}`));
    numbers.set("a", 1);
    numbers.markSynced();
    graph.tick();
    expect(order).toEqual(["numbers, doubled is 2", "doubled", "tick (option)", "tick numbers,doubled"]);
    order.length = 0;
    numbers.set("a", 1);
    graph.tick();
    expect(order).toEqual([]);
    unsubscribe();
    numbers.delete("a");
    graph.tick();
    expect(order).toEqual(["numbers, doubled is undefined", "doubled", "tick (option)"]);
  });

  it("never mixes old and new in a chain of lookups", () => {
    const { graph, faults } = collectingGraph();
    const version = graph.source<string, number>("version");
    const one = graph.derive("one", version, (value) => value);
    const two = graph.derive("two", one, (value, key, context) => ({ value, direct: context.fetch(version, key) }));
    const three = graph.singleton("three", (context) => [
      context.fetch(version, "v"),
      context.fetch(one, "v"),
      context.fetch(two, "v")?.direct,
      context.fetch(two, "v")?.value,
    ]);
    const seen: unknown[] = [];
    three.onChange(() => seen.push(three.get(SINGLETON)));
    version.markSynced();
    for (const value of [1, 2, 3]) {
      version.set("v", value);
      graph.tick();
    }
    expect(seen).toEqual([1, 2, 3].map((value) => [value, value, value, value]));
    expect(faults).toEqual([]);
  });

  it("waits for a source that is added later", () => {
    const graph = new Graph();
    const first = graph.source<string, number>("first");
    first.markSynced();
    graph.tick();
    const second = graph.source<string, number>("second");
    first.set("a", 1);
    graph.tick();
    expect([graph.synced, first.size]).toEqual([false, 0]);
    second.markSynced();
    graph.tick();
    expect([graph.synced, first.size]).toEqual([true, 1]);
  });
});

describe("a bug in what the graph is made of", () => {
  it("keeps the last good output of an entry whose transform throws, and computes it again when it may have changed", () => {
    const { graph, faults } = collectingGraph();
    const numbers = graph.source<string, number>("numbers");
    const divisors = graph.source<string, number>("divisors");
    const quotients = graph.derive("quotients", numbers, (value, key, context) => {
      const divisor = context.fetch(divisors, "d") ?? 1;
      if (divisor === 0) throw new RangeError("division by zero");
      return `${key}: ${value / divisor}`;
    });
    numbers.set("a", 6);
    divisors.set("d", 2);
    numbers.markSynced();
    divisors.markSynced();
    graph.tick();
    divisors.set("d", 0);
    numbers.set("b", 1);
    graph.tick();
    expect([...quotients.entries()]).toEqual([["a", "a: 3"]]);
    expect(faults).toEqual(
      ["b", "a"].map((key): unknown => ({ kind: "transform", collection: "quotients", key, error: expect.any(RangeError) })),
    );
    divisors.set("d", 3);
    graph.tick();
    expect([...quotients.entries()].sort()).toEqual([
      ["a", "a: 2"],
      ["b", `b: ${1 / 3}`],
    ]);
  });

  it("is contained in one entry of a deriveMany, also when its iterable throws half-way", () => {
    const { graph, faults } = collectingGraph();
    const numbers = graph.source<string, number>("numbers");
    const many = graph.deriveMany("many", numbers, function* (value, key): Generator<[string, number]> {
      yield [`${key}/1`, value];
      if (value === 13) throw new Error("unlucky");
      yield [`${key}/2`, value];
    });
    numbers.set("a", 1);
    numbers.markSynced();
    graph.tick();
    numbers.set("a", 13);
    numbers.set("b", 2);
    graph.tick();
    expect(Object.fromEntries(many.entries())).toEqual({ "a/1": 1, "a/2": 1, "b/1": 2, "b/2": 2 });
    expect(faults.map((fault) => fault.kind)).toEqual(["transform"]);
  });

  it("lets the first input by key stand when several give the same key, and says so", () => {
    const { graph, faults } = collectingGraph();
    const inputs = graph.source<string, readonly string[]>("inputs");
    const outputs = graph.deriveMany("outputs", inputs, (names, key) => names.map((name) => [name, `of ${key}`] as const));
    inputs.set("b", ["x", "y"]);
    inputs.markSynced();
    graph.tick();
    expect(faults).toEqual([]);
    inputs.set("a", ["x"]);
    graph.tick();
    expect(Object.fromEntries(outputs.entries())).toEqual({ x: "of a", y: "of b" });
    expect(faults).toEqual([{ kind: "collision", collection: "outputs", key: "x", inputs: ["a", "b"] }]);
    inputs.delete("a");
    graph.tick();
    expect(Object.fromEntries(outputs.entries())).toEqual({ x: "of b", y: "of b" });
  });

  it("is not seen in an output that moves from one input to another within a tick", () => {
    const { graph, faults } = collectingGraph();
    const inputs = graph.source<string, readonly string[]>("inputs");
    const outputs = graph.deriveMany("outputs", inputs, (names) => names.map((name) => [name, true] as const));
    inputs.set("b", ["x"]);
    inputs.markSynced();
    graph.tick();
    inputs.set("a", ["x"]);
    inputs.set("b", []);
    expect(graph.tick().collections.get("outputs")).toEqual({ recomputed: 2, changed: 0 });
    expect(outputs.get("x")).toBe(true);
    expect(faults).toEqual([]);
  });

  it("is reported for one input that gives a key twice", () => {
    const { graph, faults } = collectingGraph();
    const inputs = graph.source<string, number>("inputs");
    const outputs = graph.deriveMany("outputs", inputs, () => [
      ["x", 1],
      ["x", 2],
    ]);
    inputs.set("a", 1);
    inputs.markSynced();
    graph.tick();
    expect(outputs.get("x")).toBe(1);
    expect(faults).toEqual([{ kind: "collision", collection: "outputs", key: "x", inputs: ["a", "a"] }]);
    inputs.delete("a");
    graph.tick();
    expect(outputs.size).toBe(0);
  });

  it("keeps an entry out of an index whose key function throws, and lets predicates and comparisons throw", () => {
    const { graph, faults } = collectingGraph();
    const names = graph.source<string, string>("names");
    const initials = graph.index("initials", names, (name) => {
      if (name === "") throw new Error("no name");
      return [name.slice(0, 1)];
    });
    const compared = graph.derive("compared", names, (name) => name, {
      equal: () => {
        throw new Error("not comparable");
      },
    });
    const picky = graph.singleton("picky", (context) =>
      context.fetchIndexWhere(initials, "a", (name) => {
        if (name === "abyss") throw new Error("not that one");
        return true;
      }),
    );
    names.set("1", "anna");
    names.set("2", "");
    names.markSynced();
    graph.tick();
    expect(picky.get(SINGLETON)).toEqual(["anna"]);
    names.set("1", "abyss");
    graph.tick();
    names.set("2", "abel");
    names.delete("1");
    graph.tick();
    expect(picky.get(SINGLETON)).toEqual(["abel"]);
    expect(compared.get("2")).toBe("abel");
    expect(new Set(faults.map((fault) => fault.kind))).toEqual(new Set(["index", "equality", "transform"]));
  });

  it("is refused at once in the building of a graph, and is a fault in a lookup", () => {
    const { graph, faults } = collectingGraph();
    const other = new Graph();
    const numbers = graph.source<string, number>("numbers");
    const foreign = other.source<string, number>("foreign");
    expect(() => graph.source("numbers")).toThrow("numbers: the name is taken");
    expect(() => graph.derive("crossing", foreign, (value) => value)).toThrow("foreign: not a collection of this graph");
    let kept: TransformContext | undefined;
    graph.derive("keeping", numbers, (_value, _key, context) => {
      kept = context;
      return true;
    });
    const early = graph.derive("early", numbers, (_value, key, context) => context.fetch(late, key));
    const late = graph.derive("late", numbers, (value) => value);
    graph.derive("abroad", numbers, (_value, key, context) => context.fetch(foreign, key));
    graph.derive("growing", numbers, () => graph.source("grown"));
    graph.derive("restless", numbers, () => graph.tick());
    numbers.set("a", 1);
    numbers.markSynced();
    graph.tick();
    expect(faults.map((fault) => (fault.kind === "transform" ? String(fault.error) : fault.kind))).toEqual([
      "Error: early: late must be created before it",
      "Error: abroad: foreign belongs to another graph",
      "Error: grown: a graph cannot be extended by a transform",
      "Error: a tick cannot be run within a tick",
    ]);
    expect([early.size, late.size]).toEqual([0, 1]);
    expect(() => kept?.fetch(numbers, "a")).toThrow("keeping: a lookup after the transform has returned cannot be tracked");
  });
});
