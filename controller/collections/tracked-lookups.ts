import type { Collection, Index, TransformContext } from "./collection.ts";
import { CollectionNode, type Member } from "./collection-node.ts";
import { Dependency, type Dependent, type Dependents, EVERYTHING, type LookupKey } from "./dependency.ts";
import { IndexNode } from "./index-node.ts";

/** The context that one collection hands to its transform, run after run. Remembers what the present run looks up. */
export class TrackedLookups implements TransformContext {
  readonly #owner: Member & Dependent;
  /** The input key of the present run. */
  #key: string | undefined = undefined;
  #latest: Dependency | undefined = undefined;

  constructor(owner: Member & Dependent) {
    this.#owner = owner;
  }

  begin(key: string): void {
    this.#key = key;
    this.#latest = undefined;
  }

  /** Ends the run and returns the first of its lookups' list. */
  end(): Dependency | undefined {
    const latest = this.#latest;
    this.#key = undefined;
    this.#latest = undefined;
    return latest;
  }

  fetch<K extends string, V>(collection: Collection<K, V>, key: NoInfer<K>): V | undefined {
    const node = this.#readable(collection);
    this.#remember(node.dependents, key, undefined);
    return node.get(key);
  }

  fetchIndex<I extends string, K extends string, V>(index: Index<I, K, V>, indexKey: NoInfer<I>): readonly V[] {
    const node = this.#readableIndex(index);
    this.#remember(node.dependents, indexKey, undefined);
    return node.values(indexKey);
  }

  fetchIndexWhere<I extends string, K extends string, V>(
    index: Index<I, K, V>,
    indexKey: NoInfer<I>,
    predicate: (value: V) => boolean,
  ): readonly V[] {
    const node = this.#readableIndex(index);
    this.#remember(node.dependents, indexKey, predicate);
    return node.values(indexKey).filter(predicate);
  }

  fetchAll<K extends string, V>(collection: Collection<K, V>): readonly V[] {
    const node = this.#readable(collection);
    this.#remember(node.dependents, EVERYTHING, undefined);
    return node.orderedValues();
  }

  #remember(target: Dependents, lookup: LookupKey, predicate: ((value: never) => boolean) | undefined): void {
    if (this.#key === undefined) throw new Error(`${this.#owner.name}: a lookup after the transform has returned cannot be tracked`);
    const dependency = new Dependency(this.#owner, this.#key, target, lookup, predicate, this.#latest);
    this.#latest = dependency;
    target.add(dependency);
  }

  #readable<K extends string, V>(collection: Collection<K, V>): CollectionNode<K, V> {
    if (!(collection instanceof CollectionNode)) throw new Error(`${this.#owner.name}: ${collection.name} is not a collection of a graph`);
    const node = collection as CollectionNode<K, V>;
    this.#requireEarlier(node);
    return node;
  }

  #readableIndex<I extends string, K extends string, V>(index: Index<I, K, V>): IndexNode<I, K, V> {
    if (!(index instanceof IndexNode)) throw new Error(`${this.#owner.name}: ${index.name} is not an index of a graph`);
    const node = index as IndexNode<I, K, V>;
    this.#requireEarlier(node.collection);
    return node;
  }

  #requireEarlier(node: Member): void {
    if (node.host !== this.#owner.host) throw new Error(`${this.#owner.name}: ${node.name} belongs to another graph`);
    if (node.rank >= this.#owner.rank) throw new Error(`${this.#owner.name}: ${node.name} must be created before it`);
  }
}
