/** What collections look like from outside. How they are kept up to date is told at the top of graph.ts. */

/** What happened to one entry between two ticks. `old` and `value` differ by content, never only by identity. */
export type Change<V> =
  | { readonly kind: "added"; readonly value: V }
  | { readonly kind: "updated"; readonly value: V; readonly old: V }
  | { readonly kind: "removed"; readonly old: V };

export type Unsubscribe = () => void;

/**
 * The read side. Reads give the state of the last tick, whatever happened since. Iteration order is not specified.
 * Values are shared with every reader and must not be modified. `undefined` is never a value.
 */
export interface Collection<K extends string, V> {
  /** Unique in its graph. */
  readonly name: string;
  /** True once reads give a whole state: every source of the graph has synced and a tick has computed this collection. */
  readonly synced: boolean;
  readonly size: number;
  get(key: K): V | undefined;
  has(key: K): boolean;
  keys(): IterableIterator<K>;
  entries(): IterableIterator<[K, V]>;
  /**
   * Calls the listener at most once per tick, after every collection has been computed, and only when something changed.
   * What is there already is not replayed. A listener may write to sources: that is the next tick's work.
   */
  onChange(listener: (changes: ReadonlyMap<K, Change<V>>) => void): Unsubscribe;
}

/** The side of a collection that the world writes to. Writes are staged and become visible, together, in the next tick. */
export interface Source<K extends string, V> extends Collection<K, V> {
  set(key: K, value: V): void;
  delete(key: K): void;
  /** Makes the content exactly this; what is equal to what was there stays silent. */
  replaceAll(entries: Iterable<readonly [K, V]>): void;
  /** Says that what has been set is the whole initial state. Further calls do nothing. */
  markSynced(): void;
}

/** The entries of a collection grouped by keys that are computed from each. An entry may be in several groups or in none. */
export interface Index<I extends string, K extends string, V> {
  readonly name: string;
  /** The group's entries in the order of their keys (see `TransformContext`). */
  get(indexKey: I): readonly (readonly [K, V])[];
  /** The values of `get`, without their keys. */
  values(indexKey: I): readonly V[];
  /** Keys of the groups that are not empty. */
  keys(): IterableIterator<I>;
  readonly size: number;
}

/**
 * How a transform looks things up. A lookup is remembered: when what it gave could be different the entry is computed
 * again. It is good for the time of one run of the transform only; afterwards it throws.
 *
 * Lists are ordered by key, by UTF-16 code units, which for the ASCII of names is byte order.
 */
export interface TransformContext {
  fetch<K extends string, V>(collection: Collection<K, V>, key: NoInfer<K>): V | undefined;
  fetchIndex<I extends string, K extends string, V>(index: Index<I, K, V>, indexKey: NoInfer<I>): readonly V[];
  /**
   * The values of a group that satisfy the predicate. The predicate is kept: a change in the group concerns this entry
   * only if the value satisfied it before or does so now. So it must be pure, and may use only what the transform was
   * given or has fetched.
   */
  fetchIndexWhere<I extends string, K extends string, V>(
    index: Index<I, K, V>,
    indexKey: NoInfer<I>,
    predicate: (value: V) => boolean,
  ): readonly V[];
  /** Everything. The entry is computed again after every change of the collection: prefer an index. */
  fetchAll<K extends string, V>(collection: Collection<K, V>): readonly V[];
}

/** The only key of a collection that `Graph.singleton` made. */
export const SINGLETON = "singleton";
export type SingletonKey = typeof SINGLETON;

/** True when a dependent could not tell the two values apart. */
export type Equality<V> = (one: V, other: V) => boolean;
