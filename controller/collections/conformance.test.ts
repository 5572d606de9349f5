/** What every kind of collection promises, held against each of them. */
import { describe, expect, it } from "@jest/globals";
import { SINGLETON, type Change, type Collection, type Source } from "./collection.ts";
import { Graph } from "./graph.ts";
import type { Fault } from "./tick-report.ts";

type Texts = Source<string, { readonly text: string }>;

/** A collection whose content is that of `input`, by way of the kind that is tested. */
interface Subject {
  readonly observed: Collection<string, unknown>;
  read(): Record<string, string>;
}

const letters = ["a", "b", "c"];

const kinds: Record<string, (graph: Graph, input: Texts) => Subject> = {
  source: (_graph, input) => subjectOf(input),
  derive: (graph, input) => subjectOf(graph.derive("subject", input, (value) => ({ text: value.text }))),
  "derive by lookup alone": (graph, input) =>
    subjectOf(graph.derive("subject", letterSource(graph), (_true, key, context) => copy(context.fetch(input, key)))),
  deriveMany: (graph, input) => {
    const both = graph.deriveMany("subject", input, (value, key) =>
      ["first", "second"].map((part) => [`${part} of ${key}`, { key, part, text: value.text }] as const),
    );
    const read = (): Record<string, string> => {
      const [first, second] = ["first", "second"].map((part) =>
        Object.fromEntries([...both.entries()].filter(([, value]) => value.part === part).map(([, value]) => [value.key, value.text])),
      );
      expect(first).toEqual(second);
      return first ?? {};
    };
    return { observed: both, read };
  },
  join: (graph, input) => {
    const shadowed = graph.derive("shadowed", input, (_value, key) => (key === "b" ? { text: "shadowed" } : undefined));
    return subjectOf(graph.join("subject", [input, shadowed]));
  },
  singleton: (graph, input) => {
    const all = graph.singleton("subject", (context) =>
      letters.flatMap((key) => {
        const value = context.fetch(input, key);
        return value === undefined ? [] : [{ key, text: value.text }];
      }),
    );
    return { observed: all, read: () => Object.fromEntries((all.get(SINGLETON) ?? []).map(({ key, text }) => [key, text])) };
  },
  groups: (graph, input) => {
    const groups = graph.groups(
      "subject",
      graph.index<string, string, { readonly text: string }>("groups of", input, (_value, key) => [key, "all"]),
    );
    const read = (): Record<string, string> => {
      const content = [...groups.entries()].flatMap(([key, members]) => (key === "all" ? [] : [[key, members[0]?.text]]));
      expect(groups.get("all") ?? []).toHaveLength(content.length);
      return Object.fromEntries(content) as Record<string, string>;
    };
    return { observed: groups, read };
  },
  index: (graph, input) => {
    const index = graph.index("subject", input, (_value, key) => [`group of ${key}`]);
    const seen = graph.derive("seen", letterSource(graph), (_true, key, context) => copy(context.fetchIndex(index, `group of ${key}`)[0]));
    const read = (): Record<string, string> => {
      const entries = [...index.keys()].flatMap((group) => index.get(group));
      const content = Object.fromEntries(entries.map(([key, value]) => [key, value.text]));
      expect(content).toEqual(subjectOf(seen).read());
      expect(index.size).toBe(entries.length);
      return content;
    };
    return { observed: seen, read };
  },
};

function subjectOf(collection: Collection<string, { readonly text: string }>): Subject {
  const read = (): Record<string, string> => {
    const content = Object.fromEntries([...collection.entries()].map(([key, value]) => [key, value.text]));
    expect(collection.size).toBe(Object.keys(content).length);
    expect([...collection.keys()].sort()).toEqual(Object.keys(content).sort());
    for (const letter of letters) {
      expect(collection.has(letter)).toBe(letter in content);
      expect(collection.get(letter)?.text).toBe(content[letter]);
    }
    return content;
  };
  return { observed: collection, read };
}

function copy(value: { readonly text: string } | undefined): { readonly text: string } | undefined {
  return value === undefined ? undefined : { text: value.text };
}

function letterSource(graph: Graph): Source<string, true> {
  const source = graph.source<string, true>("letters");
  for (const letter of letters) source.set(letter, true);
  source.markSynced();
  return source;
}

describe.each(Object.entries(kinds))("%s", (_kind, create) => {
  function setUp(): {
    graph: Graph;
    input: Texts;
    subject: Subject;
    publications: ReadonlyMap<string, Change<unknown>>[];
    faults: Fault[];
  } {
    const faults: Fault[] = [];
    const graph = new Graph({ onError: (fault) => faults.push(fault) });
    const input: Texts = graph.source("input");
    const subject = create(graph, input);
    const publications: ReadonlyMap<string, Change<unknown>>[] = [];
    subject.observed.onChange((changes) => publications.push(changes));
    return { graph, input, subject, publications, faults };
  }

  function setUpWith(content: Record<string, string>): ReturnType<typeof setUp> {
    const made = setUp();
    for (const [key, text] of Object.entries(content)) made.input.set(key, { text });
    made.input.markSynced();
    made.graph.tick();
    made.publications.length = 0;
    return made;
  }

  it("shows nothing until every source has synced, and then everything at once", () => {
    const { graph, input, subject, publications } = setUp();
    const other = graph.source<string, string>("other");
    input.set("a", { text: "1" });
    input.markSynced();
    expect(graph.tick().published).toBe(false);
    expect(graph.unsynced).toEqual(["other"]);
    expect([graph.synced, subject.observed.synced]).toEqual([false, false]);
    expect(subject.read()).toEqual({});
    input.set("b", { text: "2" });
    other.markSynced();
    expect(publications).toEqual([]);
    expect(graph.tick().published).toBe(true);
    expect([graph.synced, subject.observed.synced]).toEqual([true, true]);
    expect(subject.read()).toEqual({ a: "1", b: "2" });
    expect(publications).toHaveLength(1);
  });

  it("follows additions, updates and deletions, one publication per tick", () => {
    const { graph, input, subject, publications } = setUpWith({ a: "1", b: "2" });
    input.set("a", { text: "one" });
    input.delete("b");
    input.set("c", { text: "3" });
    expect(subject.read()).toEqual({ a: "1", b: "2" });
    expect(graph.tick().published).toBe(true);
    expect(subject.read()).toEqual({ a: "one", c: "3" });
    expect(publications).toHaveLength(1);
  });

  it("takes a replacement of everything", () => {
    const { graph, input, subject, publications } = setUpWith({ a: "1", b: "2" });
    input.set("c", { text: "never seen" });
    input.replaceAll([
      ["a", { text: "1" }],
      ["b", { text: "two" }],
    ]);
    graph.tick();
    expect(subject.read()).toEqual({ a: "1", b: "two" });
    input.replaceAll([]);
    graph.tick();
    expect(subject.read()).toEqual({});
    expect(publications).toHaveLength(2);
  });

  it("is silent when the same event is replayed", () => {
    const { graph, input, publications } = setUpWith({ a: "1" });
    input.set("a", { text: "1" });
    input.delete("b");
    expect(graph.tick().published).toBe(false);
    expect(publications).toEqual([]);
  });

  it("is silent when an entry goes and comes back within a tick", () => {
    const { graph, input, publications } = setUpWith({ a: "1" });
    input.delete("a");
    input.set("a", { text: "1" });
    expect(graph.tick().published).toBe(false);
    expect(publications).toEqual([]);
  });

  it("keeps the value that it had when an equal one comes", () => {
    const { graph, input, subject } = setUpWith({ a: "1" });
    const before = [...subject.observed.entries()][0]![1];
    input.set("a", { text: "1" });
    graph.tick();
    expect([...subject.observed.entries()][0]![1]).toBe(before);
  });

  it("publishes changes that lead from the old content to the new", () => {
    const { graph, input, subject, publications } = setUp();
    const mirror = new Map<string, unknown>();
    input.markSynced();
    const steps: (() => void)[] = [
      () => input.set("a", { text: "1" }),
      () => input.set("b", { text: "2" }),
      () => input.set("a", { text: "one" }),
      () => input.delete("b"),
      () => input.delete("a"),
    ];
    for (const step of steps) {
      step();
      graph.tick();
      for (const [key, change] of publications.splice(0).flatMap((changes) => [...changes])) {
        expect(mirror.get(key)).toEqual(change.kind === "added" ? undefined : change.old);
        if (change.kind === "removed") mirror.delete(key);
        else mirror.set(key, change.value);
      }
      expect(mirror).toEqual(new Map(subject.observed.entries()));
    }
  });

  it("stops calling a listener that unsubscribed, and is not stopped by one that throws", () => {
    const { graph, input, subject, publications, faults } = setUpWith({});
    let calls = 0;
    const unsubscribe = subject.observed.onChange(() => calls++);
    subject.observed.onChange(() => {
      throw new Error("a bug in a listener");
    });
    const later: unknown[] = [];
    subject.observed.onChange((changes) => later.push(changes));
    input.set("a", { text: "1" });
    graph.tick();
    unsubscribe();
    input.set("a", { text: "2" });
    graph.tick();
    expect([calls, publications.length, later.length]).toEqual([1, 2, 2]);
    expect(faults.map((fault) => fault.kind)).toEqual(["listener", "listener"]);
  });

  it("gives its whole content to what is built on it later", () => {
    const { graph, subject } = setUpWith({ a: "1", b: "2" });
    const late = graph.derive("late", subject.observed, (value) => ({ of: value }));
    const all = graph.index("late index", subject.observed, () => ["all"]);
    expect(late.synced).toBe(false);
    graph.tick();
    expect(late.synced).toBe(true);
    expect([...late.entries()].map(([key, { of }]) => [key, of]).sort()).toEqual([...subject.observed.entries()].sort());
    expect(all.get("all")).toEqual([...subject.observed.entries()].sort());
  });

  it("lets its listener write to a source, for the next tick", () => {
    const { graph, input, subject } = setUpWith({});
    subject.observed.onChange(() => input.set("b", { text: "2" }));
    input.set("a", { text: "1" });
    graph.tick();
    expect(subject.read()).toEqual({ a: "1" });
    graph.tick();
    expect(subject.read()).toEqual({ a: "1", b: "2" });
  });
});
