import type { Equality, TransformContext } from "./collection.ts";
import { CollectionNode, type Host } from "./collection-node.ts";
import { type Dependency, type Dependent, releaseAll } from "./dependency.ts";
import { TrackedLookups } from "./tracked-lookups.ts";

/** A collection computed from the entries of another one: runs the transform for exactly the entries that could differ. */
export abstract class TransformNode<K extends string, V, Result, K2 extends string, W> extends CollectionNode<K2, W> implements Dependent {
  readonly #input: CollectionNode<K, V>;
  readonly #lookups: TrackedLookups;
  /** The lookups of each entry's last run. Entries that look nothing up are not in it. */
  readonly #dependencies = new Map<string, Dependency>();
  #dirty: Set<string>;

  constructor(name: string, host: Host, rank: number, equal: Equality<W> | undefined, input: CollectionNode<K, V>) {
    super(name, host, rank, equal);
    this.#input = input;
    this.#lookups = new TrackedLookups(this);
    this.#dirty = new Set(input.keys());
    input.feed((changes) => {
      for (const key of changes.keys()) this.#dirty.add(key);
    });
  }

  isDirty(key: string): boolean {
    return this.#dirty.has(key);
  }

  markDirty(key: string): void {
    this.#dirty.add(key);
  }

  /** Runs the transform to its end: nothing of the result may be computed later. */
  protected abstract run(value: V, key: K, context: TransformContext): Result;
  /** Takes over the result of an input entry that ran. */
  protected abstract accept(key: K, result: Result): void;
  /** Drops what an input entry gave that is no more. */
  protected abstract forget(key: K): void;

  protected override recompute(): number {
    if (this.#dirty.size === 0) return 0;
    const dirty = this.#dirty as Set<K>;
    this.#dirty = new Set();
    let runs = 0;
    for (const key of dirty) {
      releaseAll(this.#dependencies.get(key));
      const value = this.#input.get(key);
      if (value === undefined) {
        this.#dependencies.delete(key);
        this.forget(key);
      } else {
        runs++;
        this.#runEntry(value, key);
      }
    }
    return runs;
  }

  #runEntry(value: V, key: K): void {
    this.#lookups.begin(key);
    try {
      this.accept(key, this.run(value, key, this.#lookups));
    } catch (error) {
      this.host.report({ kind: "transform", collection: this.name, key, error });
    } finally {
      // Also of a run that threw: only what it read by then can make it come out differently.
      const first = this.#lookups.end();
      if (first === undefined) this.#dependencies.delete(key);
      else this.#dependencies.set(key, first);
    }
  }
}
