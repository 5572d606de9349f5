import type { Change, Index } from "./collection.ts";
import type { CollectionNode } from "./collection-node.ts";
import { Dependents } from "./dependency.ts";
import { OrderedEntries } from "./ordered-entries.ts";

interface Group<K extends string, V> {
  size: number;
  readonly entries: OrderedEntries<K, V>;
}

/**
 * Groups of a collection's entries. An entry's index keys are not stored: those that it had are computed again from its
 * old value, which is what makes `keysOf` being pure essential.
 */
export class IndexNode<I extends string, K extends string, V> implements Index<I, K, V> {
  readonly name: string;
  readonly collection: CollectionNode<K, V>;
  /** Lookups of groups. */
  readonly dependents = new Dependents();
  readonly #keysOf: (value: V, key: K) => Iterable<I>;
  readonly #groups = new Map<I, Group<K, V>>();
  readonly #consumers: ((indexKey: I) => void)[] = [];

  constructor(name: string, collection: CollectionNode<K, V>, keysOf: (value: V, key: K) => Iterable<I>) {
    this.name = name;
    this.collection = collection;
    this.#keysOf = keysOf;
    for (const [key, value] of collection.entries()) this.#apply(key, { kind: "added", value });
    collection.feed((changes) => {
      for (const [key, change] of changes) this.#apply(key, change);
    });
  }

  get size(): number {
    return this.#groups.size;
  }

  keys(): IterableIterator<I> {
    return this.#groups.keys();
  }

  /** For collections made of this index: told, in the middle of a tick, of each group that has changed. */
  feed(consumer: (indexKey: I) => void): void {
    this.#consumers.push(consumer);
  }

  get(indexKey: I): readonly (readonly [K, V])[] {
    const group = this.#groups.get(indexKey);
    if (group === undefined) return [];
    const values = group.entries.values();
    return group.entries.keys().map((key, position) => [key, values[position] as V] as const);
  }

  values(indexKey: I): readonly V[] {
    return this.#groups.get(indexKey)?.entries.values() ?? [];
  }

  #apply(key: K, change: Change<V>): void {
    switch (change.kind) {
      case "added":
        for (const indexKey of this.#distinctKeys(change.value, key)) this.#enter(indexKey, key, change.value);
        return;
      case "removed":
        for (const indexKey of this.#distinctKeys(change.old, key)) this.#leave(indexKey, key, change.old);
        return;
      case "updated": {
        const before = new Set(this.#distinctKeys(change.old, key));
        for (const indexKey of this.#distinctKeys(change.value, key)) {
          if (before.delete(indexKey)) this.#stay(indexKey, key, change.old, change.value);
          else this.#enter(indexKey, key, change.value);
        }
        for (const indexKey of before) this.#leave(indexKey, key, change.old);
        return;
      }
      default:
        change satisfies never;
    }
  }

  #distinctKeys(value: V, key: K): Iterable<I> {
    try {
      const keys = [...this.#keysOf(value, key)];
      return keys.length < 2 ? keys : new Set(keys);
    } catch (error) {
      this.collection.host.report({ kind: "index", index: this.name, key, error });
      return [];
    }
  }

  #enter(indexKey: I, key: K, value: V): void {
    let group = this.#groups.get(indexKey);
    if (group === undefined) this.#groups.set(indexKey, (group = { size: 0, entries: new OrderedEntries() }));
    group.size++;
    group.entries.set(key, value);
    this.#changed(indexKey, undefined, value);
  }

  #stay(indexKey: I, key: K, old: V, value: V): void {
    this.#groups.get(indexKey)?.entries.set(key, value);
    this.#changed(indexKey, old, value);
  }

  #leave(indexKey: I, key: K, old: V): void {
    const group = this.#groups.get(indexKey);
    if (group === undefined) return;
    group.size--;
    if (group.size === 0) this.#groups.delete(indexKey);
    else group.entries.delete(key);
    this.#changed(indexKey, old, undefined);
  }

  #changed(indexKey: I, old: V | undefined, value: V | undefined): void {
    this.dependents.markDirty(indexKey, old, value);
    for (const consume of this.#consumers) consume(indexKey);
  }
}
