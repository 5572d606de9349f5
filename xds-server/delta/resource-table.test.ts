import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { EncodedResource } from "./feed.ts";
import { ResourceTable, type TableChange, type View } from "./resource-table.ts";
import { TYPE_URL } from "./resource-types.ts";
import { type MeshState, resource, TestFeed, type TypeName } from "./testing/test-feed.ts";

/** What an update changed for a subscriber, as `type name`. */
function changedFor(change: TableChange, view: View): Set<string> {
  const own = change.views.get(view);
  const all = own ?? view.layers.flatMap((layer) => change.layers.get(layer) ?? []);
  return new Set(all.flatMap((names) => [...names].flatMap(([typeUrl, its]) => [...its].map((name) => `${typeUrl} ${name}`))));
}

function contents(view: View): Map<string, string> {
  const types = Object.values(TYPE_URL);
  return new Map(
    types.flatMap((typeUrl) =>
      [...view.names(typeUrl)].map((name) => [`${typeUrl} ${name}`, view.lookup(typeUrl, name)!.content!.version] as const),
    ),
  );
}

const cluster = (name: string): string => `${TYPE_URL.cluster} ${name}`;

describe("the resource table", () => {
  it("tells for each layer what changed in it", () => {
    const table = new ResourceTable();
    const feed = new TestFeed();
    const state = (version: string): MeshState => ({
      layers: { shared: [resource("cluster", "a", version), resource("cluster", "b")], own: [resource("listener", "in")] },
      subscribers: { web: ["shared", "own"], api: ["shared"] },
    });
    expect(table.apply(feed.to(state("1"))).appeared.map(({ subscriber }) => subscriber)).toEqual(["web", "api"]);
    const change = table.apply(feed.to(state("2")));
    expect(change.layers.size).toBe(1);
    expect(changedFor(change, table.view("web")!)).toEqual(new Set([cluster("a")]));
    expect(changedFor(change, table.view("api")!)).toEqual(new Set([cluster("a")]));
  });

  it("is silent about content that is equal to what it holds", () => {
    const table = new ResourceTable();
    const update = new TestFeed().to({ layers: { one: [resource("cluster", "a")] }, subscribers: { web: ["one"] } });
    table.apply(update);
    const again = table.apply({
      ...update,
      resources: new Map([...update.resources].map(([id, { ...copy }]) => [id, copy])),
    });
    expect(again).toMatchObject({ layers: new Map(), views: new Map(), appeared: [], disappeared: [] });
  });

  it("tells of a change of layers only what differs", () => {
    const table = new ResourceTable();
    const feed = new TestFeed();
    const [a, b, c] = [resource("cluster", "a"), resource("cluster", "b"), resource("cluster", "c")];
    table.apply(feed.to({ layers: { ab: [a, b] }, subscribers: { web: ["ab"] } }));
    const change = table.apply(feed.to({ layers: { bc: [b, c] }, subscribers: { web: ["bc"] } }));
    expect(changedFor(change, table.view("web")!)).toEqual(new Set([cluster("a"), cluster("c")]));
  });

  it("tells of a name that another resource takes over as of an update", () => {
    const table = new ResourceTable();
    const feed = new TestFeed();
    table.apply(feed.to({ layers: { one: [resource("cluster", "a", "1")], two: [] }, subscribers: { web: ["one", "two"] } }));
    const change = table.apply(
      feed.to({ layers: { one: [], two: [resource("cluster", "a", "2")] }, subscribers: { web: ["one", "two"] } }),
    );
    const view = table.view("web")!;
    expect(changedFor(change, view)).toEqual(new Set([cluster("a")]));
    expect(view.lookup(TYPE_URL.cluster, "a")?.content?.version).toBe(resource("cluster", "a", "2").version);
  });

  it("keeps a name that another resource of the layer takes over, whichever comes first in the update", () => {
    const table = new ResourceTable();
    const [old, next] = [resource("cluster", "a", "1"), resource("cluster", "a", "2")];
    const layers = new Map([["one", { key: "one", resources: new Set(["old", "next"]) }]]);
    table.apply({ resources: new Map([["old", old]]), layers, subscribers: new Map([["web", { key: "web", layers: ["one"] }]]) });
    const resources = new Map([["next", next] as const, ["old", undefined] as const]);
    const change = table.apply({ resources, layers: new Map(), subscribers: new Map() });
    expect(changedFor(change, table.view("web")!)).toEqual(new Set([cluster("a")]));
    expect(table.view("web")!.lookup(TYPE_URL.cluster, "a")?.content).toBe(next);
  });

  it("waits for what a layer names before it exists", () => {
    const table = new ResourceTable();
    table.apply({
      resources: new Map(),
      layers: new Map([["one", { key: "one", resources: new Set(["a"]) }]]),
      subscribers: new Map([["web", { key: "web", layers: ["one", "two"] }]]),
    });
    expect(contents(table.view("web")!).size).toBe(0);
    const change = table.apply({ resources: new Map([["a", resource("cluster", "a")]]), layers: new Map(), subscribers: new Map() });
    expect(changedFor(change, table.view("web")!)).toEqual(new Set([cluster("a")]));
  });

  it("forgets everything that is gone", () => {
    const table = new ResourceTable();
    const feed = new TestFeed();
    table.apply(
      feed.to({
        layers: { one: [resource("cluster", "a")], two: [resource("route", "r")] },
        subscribers: { web: ["one", "two", "three"] },
      }),
    );
    expect(table.size).toEqual({ resources: 2, layers: 3, views: 1 });
    expect(table.apply(feed.to({ layers: {}, subscribers: {} })).disappeared).toHaveLength(1);
    expect(table.size).toEqual({ resources: 0, layers: 0, views: 0 });
  });

  it("reports exactly what differs from before, after any series of updates", () => {
    const types: TypeName[] = ["cluster", "route"];
    // A layer's names are its own, so that no view has a name twice.
    const layer = (key: string): fc.Arbitrary<EncodedResource[]> =>
      fc
        .uniqueArray(fc.tuple(fc.constantFrom(...types), fc.constantFrom("a", "b", "c"), fc.constantFrom("1", "2")), {
          selector: ([type, name]) => `${type} ${name}`,
        })
        .map((members) => members.map(([type, name, content]) => resource(type, `${key}-${name}`, content)));
    const keys = ["x", "y", "z"];
    const state: fc.Arbitrary<MeshState> = fc.record({
      layers: fc.record({ x: layer("x"), y: layer("y"), z: layer("z") }, { requiredKeys: [] }),
      subscribers: fc.dictionary(fc.constantFrom("web", "api"), fc.uniqueArray(fc.constantFrom(...keys))),
    });
    fc.assert(
      fc.property(fc.array(state, { maxLength: 8 }), (states) => {
        const table = new ResourceTable();
        const feed = new TestFeed();
        let before = new Map<View, Map<string, string>>();
        for (const next of states) {
          const change = table.apply(feed.to(next));
          const after = new Map<View, Map<string, string>>();
          for (const [subscriber, layers] of Object.entries(next.subscribers)) {
            const view = table.view(subscriber)!;
            after.set(view, contents(view));
            const expected = layers
              .flatMap((key) => next.layers[key] ?? [])
              .map(({ typeUrl, name, version }) => [`${typeUrl} ${name}`, version] as const);
            expect(contents(view)).toEqual(new Map(expected));
            const old = before.get(view);
            if (!old) continue;
            const now = contents(view);
            const differing = [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name));
            expect(changedFor(change, view)).toEqual(new Set(differing));
          }
          before = after;
        }
      }),
      { numRuns: 300 },
    );
  });
});
