import { CollectionNode, type Host } from "./collection-node.ts";
import type { IndexNode } from "./index-node.ts";

/** The groups of an index as a collection: under each index key the members of its group, in the order of their keys. */
export class GroupsNode<I extends string, K extends string, V> extends CollectionNode<I, readonly V[]> {
  readonly #index: IndexNode<I, K, V>;
  #touched = new Set<I>();

  constructor(name: string, host: Host, rank: number, index: IndexNode<I, K, V>) {
    // Members are compared by the collection that they come from; here a list with the same members is the same.
    super(name, host, rank, (one, other) => one.length === other.length && one.every((member, position) => member === other[position]));
    this.#index = index;
    for (const key of index.keys()) this.#touched.add(key);
    index.feed((key) => this.#touched.add(key));
  }

  protected override recompute(): number {
    const touched = this.#touched;
    if (touched.size === 0) return 0;
    this.#touched = new Set();
    for (const key of touched) {
      const members = this.#index.values(key);
      if (members.length === 0) this.remove(key);
      else this.put(key, members);
    }
    return touched.size;
  }
}
