import type { Equality } from "./collection.ts";
import { CollectionNode, type Host } from "./collection-node.ts";

/** The union of collections; where several have a key the first of them stands. */
export class JoinNode<K extends string, V> extends CollectionNode<K, V> {
  readonly #inputs: readonly CollectionNode<K, V>[];
  #touched = new Set<K>();

  constructor(name: string, host: Host, rank: number, equal: Equality<V> | undefined, inputs: readonly CollectionNode<K, V>[]) {
    super(name, host, rank, equal);
    this.#inputs = inputs;
    for (const input of inputs) {
      for (const key of input.keys()) this.#touched.add(key);
      input.feed((changes) => {
        for (const key of changes.keys()) this.#touched.add(key);
      });
    }
  }

  protected override recompute(): number {
    const touched = this.#touched;
    if (touched.size === 0) return 0;
    this.#touched = new Set();
    for (const key of touched) {
      const value = this.#first(key);
      if (value === undefined) this.remove(key);
      else this.put(key, value);
    }
    return touched.size;
  }

  #first(key: K): V | undefined {
    for (const input of this.#inputs) {
      const value = input.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }
}
