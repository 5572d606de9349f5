import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { EncodedResource } from "./feed.ts";
import { TYPE_URL } from "./resource-types.ts";
import { ModelMesh, PATIENCE_MS } from "./testing/model-mesh.ts";
import type { ModelSidecar } from "./testing/model-sidecar.ts";
import { type MeshState, resource, type TypeName } from "./testing/test-feed.ts";

const TYPES: readonly TypeName[] = ["cluster", "endpoints", "listener", "route"];
const WILDCARD: ReadonlySet<TypeName> = new Set(["cluster", "listener"]);
const NAMES = ["a", "b", "c"];

type Step =
  | { readonly kind: "apply"; readonly state: MeshState }
  | { readonly kind: "subscribe"; readonly type: TypeName; readonly name: string }
  | { readonly kind: "unsubscribe"; readonly type: TypeName; readonly name: string }
  | { readonly kind: "take" }
  | { readonly kind: "ack" }
  | { readonly kind: "nack" }
  | { readonly kind: "wait" }
  | { readonly kind: "reconnect" };

const layer = (key: string): fc.Arbitrary<EncodedResource[]> =>
  fc
    .uniqueArray(fc.tuple(fc.constantFrom(...TYPES), fc.constantFrom(...NAMES), fc.constantFrom("1", "2", "3")), {
      selector: ([type, name]) => `${type} ${name}`,
      maxLength: 8,
    })
    .map((members) => members.map(([type, name, content]) => resource(type, `${key}${name}`, content)));
const state: fc.Arbitrary<MeshState> = fc
  .record({ x: layer("x"), y: layer("y"), layers: fc.subarray(["x", "y"]) })
  .map(({ x, y, layers }) => ({ layers: { x, y }, subscribers: { web: layers } }));
const allNames = ["x", "y"].flatMap((key) => NAMES.map((name) => `${key}${name}`));
const subject = { type: fc.constantFrom(...TYPES), name: fc.constantFrom(...allNames) };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("apply"), state }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("subscribe"), ...subject }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unsubscribe"), ...subject }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("take") }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("ack") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("nack") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reconnect") }) },
);

/** A sidecar, what it is subscribed to, and its life through reconnects. */
class Life {
  readonly mesh = new ModelMesh();
  readonly #subscribed = new Map<TypeName, Set<string>>();
  sidecar: ModelSidecar;

  constructor() {
    this.mesh.apply({ layers: {}, subscribers: { web: [] } });
    this.sidecar = this.#connect(new Map());
  }

  do(next: Step): void {
    const { sidecar } = this;
    switch (next.kind) {
      case "apply":
        this.mesh.apply(next.state);
        return;
      case "subscribe":
        this.#namesOf(next.type).add(next.name);
        sidecar.subscribe(next.type, [next.name]);
        return;
      case "unsubscribe":
        if (!this.#subscribed.has(next.type) || WILDCARD.has(next.type)) return;
        this.#namesOf(next.type).delete(next.name);
        sidecar.unsubscribe(next.type, [next.name]);
        sidecar.has.get(TYPE_URL[next.type])?.delete(next.name);
        return;
      case "take":
        sidecar.takeWrite();
        return;
      case "ack":
        if (sidecar.unanswered.length > 0) sidecar.ack();
        return;
      case "nack":
        // Envoy refuses what it is to take on, never what it is to give up.
        if ((sidecar.unanswered[0]?.names.length ?? 0) > 0) sidecar.nack("by chance");
        return;
      case "wait":
        this.mesh.clock.advance(PATIENCE_MS / 2);
        return;
      case "reconnect":
        sidecar.close();
        this.sidecar = this.#connect(this.has());
    }
  }

  /** What the sidecar runs on: by type, versions by name. What it was sent and does not want any more is dropped. */
  has(): Map<string, Map<string, string>> {
    return this.#wanted((type) => this.sidecar.has.get(TYPE_URL[type]) ?? []);
  }

  /** What it should run on. */
  expected(final: MeshState): Map<string, Map<string, string>> {
    const view = (final.subscribers["web"] ?? []).flatMap((key) => final.layers[key] ?? []);
    return this.#wanted((type) =>
      view.filter(({ typeUrl }) => typeUrl === TYPE_URL[type]).map(({ name, version }) => [name, version] as const),
    );
  }

  #wanted(versionsOf: (type: TypeName) => Iterable<readonly [string, string]>): Map<string, Map<string, string>> {
    const wants = (type: TypeName, name: string): boolean => WILDCARD.has(type) || this.#subscribed.get(type)?.has(name) === true;
    return new Map(
      TYPES.map((type) => [TYPE_URL[type], new Map([...versionsOf(type)].filter(([name]) => wants(type, name)).sort())] as const),
    );
  }

  #namesOf(type: TypeName): Set<string> {
    const names = this.#subscribed.get(type) ?? new Set();
    this.#subscribed.set(type, names);
    return names;
  }

  #connect(has: ReadonlyMap<string, ReadonlyMap<string, string>>): ModelSidecar {
    const sidecar = this.mesh.connect();
    for (const [typeUrl, its] of has) sidecar.has.set(typeUrl, new Map(its));
    for (const type of TYPES) {
      const versions = has.get(TYPE_URL[type]) ?? new Map<string, string>();
      if (WILDCARD.has(type)) sidecar.subscribe(type, [], versions);
      else if (this.#subscribed.has(type)) sidecar.subscribe(type, [...this.#namesOf(type)], versions);
    }
    return sidecar;
  }
}

describe("whatever happens in between", () => {
  it("a sidecar that accepts in the end has exactly its view, and is known to have it", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), state, (steps, final) => {
        const life = new Life();
        for (const next of steps) life.do(next);
        // Content that was never refused before, so that all of it has to arrive.
        const fresh = Object.fromEntries(
          Object.entries(final.layers).map(([key, its]) => [
            key,
            its.map(({ typeUrl, name }) =>
              resource(
                TYPES.find((type) => TYPE_URL[type] === typeUrl)!,
                name,
                "final",
              ),
            ),
          ]),
        );
        const end = { layers: fresh, subscribers: final.subscribers };
        life.mesh.apply(end);
        life.sidecar.settle();
        life.mesh.clock.advance(PATIENCE_MS);
        life.sidecar.settle();
        expect(life.has()).toEqual(life.expected(end));
        expect(life.sidecar.stream.synced).toBe(true);
        expect(life.sidecar.stream.ackedThrough).toBe(life.mesh.streams.sequence);
      }),
      { numRuns: 500 },
    );
  });

  it("at most one response of a type is unanswered while answers come in time", () => {
    const prompt = step.filter(({ kind }) => kind !== "wait");
    fc.assert(
      fc.property(fc.array(prompt, { maxLength: 40 }), (steps) => {
        const life = new Life();
        for (const next of steps) {
          life.do(next);
          const types = life.sidecar.unanswered.map(({ typeUrl }) => typeUrl);
          expect(new Set(types).size).toBe(types.length);
        }
      }),
      { numRuns: 300 },
    );
  });
});
