import type { Change, Collection, Equality, Unsubscribe } from "./collection.ts";
import { Dependents, EVERYTHING } from "./dependency.ts";
import { OrderedEntries } from "./ordered-entries.ts";
import { structurallyEqual } from "./structural-equality.ts";
import type { Fault } from "./tick-report.ts";

/** What a collection needs of the graph that it belongs to. */
export interface Host {
  requestTick(): void;
  report(fault: Fault): void;
}

/** A collection as the graph drives it, and as others judge whether they may read it. */
export interface Member {
  readonly name: string;
  readonly host: Host;
  /** Position in the order of computation. What a collection reads has a smaller one. */
  readonly rank: number;
  /** Brings the entries up to date and tells whoever depends on them. */
  settle(): { readonly recomputed: number; readonly changed: number };
  /** Ends the tick: hands what changed to the listeners. */
  publish(): void;
}

/** Told, in the middle of a tick, that a collection has its new state. */
export type ChangeConsumer<K extends string, V> = (changes: ReadonlyMap<K, Change<V>>) => void;

/**
 * The part that all kinds of collection share: the entries, what changed in this tick, and who must know. In a tick the
 * graph calls `settle` on each collection in the order of creation, then `publish` on each.
 */
export abstract class CollectionNode<K extends string, V> implements Collection<K, V>, Member {
  readonly name: string;
  readonly host: Host;
  readonly rank: number;
  /** Lookups of entries of this collection by key, and of EVERYTHING. */
  readonly dependents = new Dependents();
  readonly #entries = new Map<K, V>();
  readonly #equal: Equality<V>;
  readonly #consumers: ChangeConsumer<K, V>[] = [];
  readonly #listeners = new Set<(changes: ReadonlyMap<K, Change<V>>) => void>();
  #ordered: OrderedEntries<K, V> | undefined = undefined;
  #changes = new Map<K, Change<V>>();
  #synced = false;

  constructor(name: string, host: Host, rank: number, equal: Equality<V> | undefined) {
    this.name = name;
    this.host = host;
    this.rank = rank;
    this.#equal = equal ?? structurallyEqual;
  }

  get synced(): boolean {
    return this.#synced;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  keys(): IterableIterator<K> {
    return this.#entries.keys();
  }

  entries(): IterableIterator<[K, V]> {
    return this.#entries.entries();
  }

  /** All values in the order of their keys. */
  orderedValues(): readonly V[] {
    if (this.#ordered === undefined) {
      this.#ordered = new OrderedEntries();
      for (const [key, value] of this.#entries) this.#ordered.set(key, value);
    }
    return this.#ordered.values();
  }

  onChange(listener: (changes: ReadonlyMap<K, Change<V>>) => void): Unsubscribe {
    // Wrapped, so that the same function subscribed twice is two subscriptions.
    const subscription = (changes: ReadonlyMap<K, Change<V>>): void => listener(changes);
    this.#listeners.add(subscription);
    return () => void this.#listeners.delete(subscription);
  }

  /** For collections and indexes that are fed by this one; called within the tick, before the next collection is computed. */
  feed(consumer: ChangeConsumer<K, V>): void {
    this.#consumers.push(consumer);
  }

  settle(): { readonly recomputed: number; readonly changed: number } {
    const recomputed = this.recompute();
    this.#synced = true;
    const changed = this.#changes.size;
    if (changed > 0) {
      for (const consume of this.#consumers) consume(this.#changes);
      if (!this.dependents.isEmpty) this.#markDependents();
    }
    return { recomputed, changed };
  }

  publish(): void {
    if (this.#changes.size === 0) return;
    const changes = this.#changes;
    this.#changes = new Map();
    for (const listener of [...this.#listeners]) {
      try {
        listener(changes);
      } catch (error) {
        this.host.report({ kind: "listener", collection: this.name, error });
      }
    }
  }

  /** Does this tick's work by `put` and `remove`, each at most once per key, and returns its amount for the report. */
  protected abstract recompute(): number;

  protected put(key: K, value: V): void {
    const old = this.#entries.get(key);
    if (old === undefined) this.#changes.set(key, { kind: "added", value });
    else if (this.#areEqual(key, old, value)) return;
    else this.#changes.set(key, { kind: "updated", value, old });
    this.#entries.set(key, value);
    this.#ordered?.set(key, value);
  }

  protected remove(key: K): void {
    const old = this.#entries.get(key);
    if (old === undefined) return;
    this.#changes.set(key, { kind: "removed", old });
    this.#entries.delete(key);
    this.#ordered?.delete(key);
  }

  #areEqual(key: K, one: V, other: V): boolean {
    if (one === other) return true;
    try {
      return this.#equal(one, other);
    } catch (error) {
      this.host.report({ kind: "equality", collection: this.name, key, error });
      return false;
    }
  }

  #markDependents(): void {
    this.dependents.markDirty(EVERYTHING, undefined, undefined);
    for (const key of this.#changes.keys()) this.dependents.markDirty(key, undefined, undefined);
  }
}
