import type { Equality, TransformContext } from "./collection.ts";
import type { CollectionNode, Host } from "./collection-node.ts";
import { TransformNode } from "./transform-node.ts";

export type Transform<K extends string, V, W> = (value: V, key: K, context: TransformContext) => W | undefined;

/** At most one output for each input, under the same key. */
export class DeriveNode<K extends string, V, W> extends TransformNode<K, V, W | undefined, K, W> {
  readonly #transform: Transform<K, V, W>;

  constructor(
    name: string,
    host: Host,
    rank: number,
    equal: Equality<W> | undefined,
    input: CollectionNode<K, V>,
    transform: Transform<K, V, W>,
  ) {
    super(name, host, rank, equal, input);
    this.#transform = transform;
  }

  protected override run(value: V, key: K, context: TransformContext): W | undefined {
    return this.#transform(value, key, context);
  }

  protected override accept(key: K, result: W | undefined): void {
    if (result === undefined) this.remove(key);
    else this.put(key, result);
  }

  protected override forget(key: K): void {
    this.remove(key);
  }
}
