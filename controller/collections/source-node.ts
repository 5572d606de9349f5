import type { Source } from "./collection.ts";
import { CollectionNode } from "./collection-node.ts";

/** A collection that the world writes to. */
export class SourceNode<K extends string, V> extends CollectionNode<K, V> implements Source<K, V> {
  /** Writes since the last tick; an undefined value is a deletion. */
  #staged = new Map<K, V | undefined>();
  #complete = false;

  /** True once the world has said that the initial state is all there. */
  get complete(): boolean {
    return this.#complete;
  }

  set(key: K, value: V): void {
    this.#staged.set(key, value);
    this.host.requestTick();
  }

  delete(key: K): void {
    this.#staged.set(key, undefined);
    this.host.requestTick();
  }

  replaceAll(entries: Iterable<readonly [K, V]>): void {
    const staged = new Map<K, V | undefined>(entries);
    for (const key of this.keys()) if (!staged.has(key)) staged.set(key, undefined);
    this.#staged = staged;
    this.host.requestTick();
  }

  markSynced(): void {
    if (this.#complete) return;
    this.#complete = true;
    this.host.requestTick();
  }

  protected override recompute(): number {
    const staged = this.#staged;
    if (staged.size === 0) return 0;
    this.#staged = new Map();
    for (const [key, value] of staged) {
      if (value === undefined) this.remove(key);
      else this.put(key, value);
    }
    return staged.size;
  }
}
