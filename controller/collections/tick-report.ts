/** What one tick did. */
export interface TickReport {
  /** True when at least one entry of one collection changed. False always while a source has not synced. */
  readonly published: boolean;
  /** Per collection that did anything, in the order of computation. */
  readonly collections: ReadonlyMap<string, CollectionReport>;
  /** Milliseconds spent computing, listeners excluded. */
  readonly durationMs: number;
}

export interface CollectionReport {
  /** Runs of the transform; for a source, staged writes; for a join, keys compared. */
  readonly recomputed: number;
  /** Entries that are different now. */
  readonly changed: number;
}

/** A bug in what the graph was built from. It is reported and contained: the graph goes on. */
export type Fault =
  /** A transform threw. The entry keeps its last good output (or has none) until something that it depends on changes. */
  | { readonly kind: "transform"; readonly collection: string; readonly key: string; readonly error: unknown }
  /** Several inputs of a `deriveMany`, or one input twice, gave the same key. The first input by key stands. */
  | { readonly kind: "collision"; readonly collection: string; readonly key: string; readonly inputs: readonly string[] }
  /** The function that tells an entry's index keys threw. The entry is in no group. */
  | { readonly kind: "index"; readonly index: string; readonly key: string; readonly error: unknown }
  /** The comparison of two values threw. They were taken to differ. */
  | { readonly kind: "equality"; readonly collection: string; readonly key: string; readonly error: unknown }
  /** A listener threw. The others were called all the same. `collection` is absent for a listener of the graph. */
  | { readonly kind: "listener"; readonly collection?: string; readonly error: unknown };
