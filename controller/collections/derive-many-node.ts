import type { Equality, TransformContext } from "./collection.ts";
import type { CollectionNode, Host } from "./collection-node.ts";
import { compareKeys } from "./ordered-entries.ts";
import { TransformNode } from "./transform-node.ts";

export type TransformMany<K extends string, V, K2 extends string, W> = (
  value: V,
  key: K,
  context: TransformContext,
) => Iterable<readonly [K2, W]>;

type Outputs<K2 extends string, W> = readonly (readonly [K2, W])[];

/**
 * Any number of outputs for each input, under keys of their own. Who gives a key is kept for every key, so that when
 * several inputs do (a bug, which is reported) the first of them by key stands, whatever the order of events was.
 */
export class DeriveManyNode<K extends string, V, K2 extends string, W> extends TransformNode<K, V, Outputs<K2, W>, K2, W> {
  readonly #transform: TransformMany<K, V, K2, W>;
  readonly #outputs = new Map<K, Outputs<K2, W>>();
  /** The input that gives a key; several, in their order, when they collide. */
  readonly #givers = new Map<K2, K | readonly K[]>();
  /** Output keys whose entry may have changed in this tick. */
  readonly #touched = new Set<K2>();

  constructor(
    name: string,
    host: Host,
    rank: number,
    equal: Equality<W> | undefined,
    input: CollectionNode<K, V>,
    transform: TransformMany<K, V, K2, W>,
  ) {
    super(name, host, rank, equal, input);
    this.#transform = transform;
  }

  protected override run(value: V, key: K, context: TransformContext): Outputs<K2, W> {
    return [...this.#transform(value, key, context)];
  }

  protected override accept(key: K, outputs: Outputs<K2, W>): void {
    this.#withdraw(key);
    if (outputs.length === 0) return;
    this.#outputs.set(key, outputs);
    for (const [outputKey] of outputs) {
      const givers = this.#giversOf(outputKey);
      this.#givers.set(outputKey, givers.length === 0 ? key : [...givers, key].sort(compareKeys));
      this.#touched.add(outputKey);
    }
  }

  protected override forget(key: K): void {
    this.#withdraw(key);
  }

  protected override recompute(): number {
    const runs = super.recompute();
    // Only now is it known who gives what: an output may have moved from one input to another within the tick.
    for (const key of this.#touched) this.#resolve(key);
    this.#touched.clear();
    return runs;
  }

  #withdraw(key: K): void {
    const outputs = this.#outputs.get(key);
    if (outputs === undefined) return;
    this.#outputs.delete(key);
    for (const [outputKey] of outputs) {
      const rest = this.#giversOf(outputKey).filter((giver) => giver !== key);
      if (rest[0] === undefined) this.#givers.delete(outputKey);
      else this.#givers.set(outputKey, rest.length === 1 ? rest[0] : rest);
      this.#touched.add(outputKey);
    }
  }

  #resolve(key: K2): void {
    const givers = this.#giversOf(key);
    const first = givers[0];
    if (first === undefined) {
      this.remove(key);
      return;
    }
    if (givers.length > 1) this.host.report({ kind: "collision", collection: this.name, key, inputs: givers });
    const output = this.#outputs.get(first)?.find(([outputKey]) => outputKey === key);
    if (output !== undefined) this.put(key, output[1]);
  }

  #giversOf(key: K2): readonly K[] {
    const givers = this.#givers.get(key);
    return givers === undefined ? [] : typeof givers === "string" ? [givers] : givers;
  }
}
