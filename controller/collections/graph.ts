/**
 * The incremental core: what is derived from what, and the doing of exactly the work that a change asks for. It knows
 * nothing of Kubernetes or Envoy.
 *
 * A graph is made of collections, maps from a string key to an immutable value. A source is written to by the world; the
 * others are computed from it: `derive` (an entry from an entry), `deriveMany` (several from one), `join` (a union),
 * `groups` (the groups of an index) and
 * `singleton` (one value of everything). An index groups a collection's entries, to be looked up by something other than
 * their key. Transforms are pure functions of one input entry and of what they look up through their context
 * (tracked-lookups.ts), which remembers each lookup (dependency.ts), so that nothing ever scans for who is affected.
 *
 * Events are staged in their source and done together in one synchronous tick, when the event loop is idle
 * (tick-schedule.ts). A tick settles the collections in the order in which they were created. A collection can only read
 * those before it, so that order is topological, cycles cannot be built, and no transform sees a mixture of old and new. Settling
 * runs the transform of each entry whose input or lookups changed, once (transform-node.ts); an output equal by content
 * to the one before is no change (collection-node.ts, structural-equality.ts), and ends the work there. When all have
 * settled, the listeners of what changed are called.
 *
 * While any source has not synced no tick computes anything, so the first publication is of a whole state. What is wrong
 * with a transform, a comparison or a listener is reported as a `Fault` (tick-report.ts) and stays where it is.
 */
import type { Collection, Equality, Index, SingletonKey, Source, TransformContext, Unsubscribe } from "./collection.ts";
import { SINGLETON } from "./collection.ts";
import { CollectionNode, type Host, type Member } from "./collection-node.ts";
import { DeriveManyNode, type TransformMany } from "./derive-many-node.ts";
import { DeriveNode, type Transform } from "./derive-node.ts";
import { GroupsNode } from "./groups-node.ts";
import { IndexNode } from "./index-node.ts";
import { JoinNode } from "./join-node.ts";
import { SourceNode } from "./source-node.ts";
import type { CollectionReport, Fault, TickReport } from "./tick-report.ts";
import { TickSchedule } from "./tick-schedule.ts";

export interface GraphOptions {
  /** Defers a callback until the event loop is idle; setImmediate unless given. */
  readonly schedule?: (callback: () => void) => void;
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number;
  /** The longest that a tick waits for a burst of events to end, in milliseconds. Default 10. */
  readonly maxDelayMs?: number;
  readonly onTick?: (report: TickReport) => void;
  /** Told of every fault; unless given they become process warnings. Must not throw. */
  readonly onError?: (fault: Fault) => void;
}

export interface CollectionOptions<V> {
  /** Tells values apart; structural equality unless given. */
  readonly equal?: Equality<V>;
}

export class Graph {
  readonly #host: Host;
  readonly #schedule: TickSchedule;
  readonly #now: () => number;
  readonly #report: (fault: Fault) => void;
  readonly #nodes: Member[] = [];
  readonly #sources: { readonly name: string; readonly complete: boolean }[] = [];
  readonly #names = new Set<string>();
  readonly #listeners = new Set<(report: TickReport) => void>();
  readonly #always: SourceNode<SingletonKey, true>;
  #phase: "idle" | "computing" | "publishing" = "idle";
  #computed = false;

  constructor(options: GraphOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#report = options.onError ?? warnOf;
    this.#schedule = new TickSchedule(
      {
        defer: options.schedule ?? ((callback) => void setImmediate(callback)),
        now: this.#now,
        maxDelayMs: options.maxDelayMs ?? 10,
      },
      () => void this.tick(),
    );
    this.#host = { requestTick: () => this.#schedule.request(), report: (fault) => this.#report(fault) };
    if (options.onTick !== undefined) this.#listeners.add(options.onTick);
    this.#always = new SourceNode("", this.#host, 0, undefined);
    this.#always.set(SINGLETON, true);
    this.#nodes.push(this.#always);
  }

  /** True once every source has synced and the first whole state has been computed. */
  get synced(): boolean {
    return this.#computed && this.#sources.every((source) => source.complete);
  }

  /** Names of the sources that are being waited for. */
  get unsynced(): readonly string[] {
    return this.#sources.filter((source) => !source.complete).map((source) => source.name);
  }

  /** A source that is added later holds the whole graph back until it has synced. */
  source<K extends string, V>(name: string, options: CollectionOptions<V> = {}): Source<K, V> {
    const source = this.#add(name, (rank) => new SourceNode<K, V>(name, this.#host, rank, options.equal));
    this.#sources.push(source);
    return source;
  }

  /** One output, or none (`undefined`), for each entry of the input, under the same key. */
  derive<K extends string, V, W>(
    name: string,
    input: Collection<K, V>,
    transform: Transform<K, V, W>,
    options: CollectionOptions<W> = {},
  ): Collection<K, W> {
    const node = this.#own(input);
    return this.#add(name, (rank) => new DeriveNode(name, this.#host, rank, options.equal, node, transform));
  }

  /**
   * Any number of outputs for each entry of the input. Their keys must be unique over all inputs; where they are not the
   * output of the first input by key stands, and a fault of kind `collision` is reported.
   */
  deriveMany<K extends string, V, K2 extends string, W>(
    name: string,
    input: Collection<K, V>,
    transform: TransformMany<K, V, K2, W>,
    options: CollectionOptions<W> = {},
  ): Collection<K2, W> {
    const node = this.#own(input);
    return this.#add(name, (rank) => new DeriveManyNode(name, this.#host, rank, options.equal, node, transform));
  }

  /** The union of collections. Where several have the same key the first of them in the list stands. */
  join<K extends string, V>(name: string, collections: readonly Collection<K, V>[], options: CollectionOptions<V> = {}): Collection<K, V> {
    const nodes = collections.map((collection) => this.#own(collection));
    return this.#add(name, (rank) => new JoinNode(name, this.#host, rank, options.equal, nodes));
  }

  /** One value, under the key SINGLETON, computed of lookups alone. */
  singleton<V>(
    name: string,
    transform: (context: TransformContext) => V | undefined,
    options: CollectionOptions<V> = {},
  ): Collection<SingletonKey, V> {
    return this.derive(name, this.#always, (_true, _key, context) => transform(context), options);
  }

  /** `keysOf` must be pure. Keys that it repeats count once. */
  index<I extends string, K extends string, V>(
    name: string,
    collection: Collection<K, V>,
    keysOf: (value: V, key: K) => Iterable<I>,
  ): Index<I, K, V> {
    this.#claim(name);
    return new IndexNode(name, this.#own(collection), keysOf);
  }

  /** The groups of an index as a collection of its own: what agrees in the index key, as one entry. */
  groups<I extends string, K extends string, V>(name: string, index: Index<I, K, V>): Collection<I, readonly V[]> {
    if (!(index instanceof IndexNode)) throw new Error(`${index.name}: not an index of this graph`);
    const node = index as IndexNode<I, K, V>;
    this.#own(node.collection);
    return this.#add(name, (rank) => new GroupsNode(name, this.#host, rank, node));
  }

  /** Calls the listener once after each tick that published something, when all listeners of collections have been called. */
  onTick(listener: (report: TickReport) => void): Unsubscribe {
    const subscription = (report: TickReport): void => listener(report);
    this.#listeners.add(subscription);
    return () => void this.#listeners.delete(subscription);
  }

  /** Does now what would be done when the event loop is idle. Not to be called from transforms and listeners. */
  tick(): TickReport {
    if (this.#phase !== "idle") throw new Error("a tick cannot be run within a tick");
    this.#schedule.satisfied();
    if (this.unsynced.length > 0) return { published: false, collections: new Map(), durationMs: 0 };
    try {
      this.#phase = "computing";
      const report = this.#compute();
      this.#phase = "publishing";
      this.#publish(report);
      return report;
    } finally {
      this.#phase = "idle";
    }
  }

  #compute(): TickReport {
    const startedAt = this.#now();
    const collections = new Map<string, CollectionReport>();
    let published = false;
    for (const node of this.#nodes) {
      const { recomputed, changed } = node.settle();
      if (node === this.#always) continue;
      if (changed > 0) published = true;
      if (recomputed > 0 || changed > 0) collections.set(node.name, { recomputed, changed });
    }
    this.#computed = true;
    return { published, collections, durationMs: this.#now() - startedAt };
  }

  #publish(report: TickReport): void {
    for (const node of this.#nodes) node.publish();
    if (!report.published) return;
    for (const listener of [...this.#listeners]) {
      try {
        listener(report);
      } catch (error) {
        this.#report({ kind: "listener", error });
      }
    }
  }

  #add<N extends Member>(name: string, create: (rank: number) => N): N {
    this.#claim(name);
    const node = create(this.#nodes.length);
    this.#nodes.push(node);
    this.#schedule.request();
    return node;
  }

  #claim(name: string): void {
    if (this.#phase === "computing") throw new Error(`${name}: a graph cannot be extended by a transform`);
    if (this.#names.has(name)) throw new Error(`${name}: the name is taken`);
    this.#names.add(name);
  }

  #own<K extends string, V>(collection: Collection<K, V>): CollectionNode<K, V> {
    if (collection instanceof CollectionNode && collection.host === this.#host) return collection as CollectionNode<K, V>;
    throw new Error(`${collection.name}: not a collection of this graph`);
  }
}

function warnOf(fault: Fault): void {
  const { kind, ...where } = fault;
  process.emitWarning(`a fault of kind ${kind} in a collection: ${JSON.stringify(where)}`, {
    type: "CollectionFault",
    detail: "error" in fault && fault.error instanceof Error ? (fault.error.stack ?? fault.error.message) : "",
  });
}
