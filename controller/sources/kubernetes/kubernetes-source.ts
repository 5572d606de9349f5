/**
 * The Kubernetes API as the source of every object: what a folder of YAML is where there is no cluster (../files).
 *
 * Each kind is listed and then watched on its own (reflector.ts). Of each object only what the house reads is kept
 * (projection.ts). It is held to its schema and to its kind's `validate`, as the webhook and the file source do; one that does
 * not hold is `invalid`, with its last good state beside it (kind-table.ts). Events are staged in the graph's sources, and
 * become one tick when the event loop is idle.
 *
 * A source is synced when its kind has been listed once, so that nothing is published of a state that is not whole. From then
 * on what is known stands: while the API server is away nothing changes.
 *
 * Of Secrets and ConfigMaps only those that policies refer to are anybody's business here. No kind refers to one yet, so none is
 * read, and their sources stay empty.
 */
import type { Kind } from "../../../crds/core/kind.ts";
import type { Source } from "../../collections/collection.ts";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import type { SourceEntry } from "../../model/source-entry.ts";
import type { KnownKind } from "../known-kind.ts";
import { knownKinds, type ObjectCheck } from "../known-kinds.ts";
import { KindTable, type ReflectedObject } from "./kind-table.ts";
import { type KubernetesObserver, NO_OBSERVER } from "./observer.ts";
import { type Log, OutageLog } from "./outage-log.ts";
import { DEFAULT_TIMING, Reflector, type ReflectorState, type WatchTiming } from "./reflector.ts";

export interface KubernetesSourceOptions {
  readonly api: KubernetesApi;
  /** Seawall's own kinds and those of the Gateway API; the core kinds that it reads are known. */
  readonly kinds: readonly Kind[];
  /** Where the objects of a kind go, under the keys of `sourceKey`. A kind without a source is not asked for. */
  readonly source: (kind: string) => Source<string, SourceEntry> | undefined;
  readonly log: Log;
  readonly observer?: KubernetesObserver;
  /** Checks an object of one of `kinds`; the kind's schema and then its `validate` unless given. */
  readonly check?: ObjectCheck;
  readonly timing?: Partial<WatchTiming>;
  /** Numbers from 0 to 1. */
  readonly random?: () => number;
}

export type KindState = ReflectorState & { readonly kind: string; readonly objects: number };

/** Kinds of which a cluster holds much that must not be read. */
const ONLY_REFERENCED: readonly string[] = ["Secret", "ConfigMap"];

/** Pods that have ended have no address, and a cluster may keep thousands. When one ends the server says that it is deleted. */
const FIELD_SELECTORS: Readonly<Record<string, string>> = { Pod: "status.phase!=Succeeded,status.phase!=Failed" };

interface Followed {
  readonly table: KindTable;
  readonly reflector: Reflector<ReflectedObject>;
  state: ReflectorState;
  /** It was said that the kind is not installed. A new kind may fail for a moment before it is followed. */
  saidAbsent: boolean;
}

export class KubernetesSource {
  readonly #options: KubernetesSourceOptions;
  readonly #outages: OutageLog;
  readonly #followed = new Map<string, Followed>();
  readonly #ended: Promise<unknown>;

  /** Begins to follow every kind that has a source. */
  static open(options: KubernetesSourceOptions): KubernetesSource {
    return new KubernetesSource(options);
  }

  private constructor(options: KubernetesSourceOptions) {
    this.#options = options;
    this.#outages = new OutageLog(options.log);
    for (const known of knownKinds(options.kinds, options.check).values()) {
      const source = options.source(known.kind);
      if (source === undefined) continue;
      if (ONLY_REFERENCED.includes(known.kind)) source.markSynced();
      else this.#follow(known, source);
    }
    this.#ended = Promise.all([...this.#followed.values()].map(({ reflector }) => reflector.run()));
  }

  /** How each kind is followed at this moment. */
  get states(): readonly KindState[] {
    return [...this.#followed].map(([kind, { table, state }]) => ({ ...state, kind, objects: table.size }));
  }

  /** Ends all watches; resolves when nothing will be written to a source any more. */
  async close(): Promise<void> {
    for (const { reflector } of this.#followed.values()) reflector.close();
    await this.#ended;
  }

  #follow(known: KnownKind, source: Source<string, SourceEntry>): void {
    const { api, timing, random = Math.random, observer = NO_OBSERVER } = this.#options;
    const fieldSelector = FIELD_SELECTORS[known.kind];
    const table = new KindTable(known, source, api.server);
    const reflector = new Reflector({
      api,
      known,
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      target: table,
      timing: { ...DEFAULT_TIMING, ...timing },
      random,
      observer,
      onState: (state) => this.#entered(known, state),
    });
    this.#followed.set(known.kind, { table, reflector, state: { state: "Starting" }, saidAbsent: false });
  }

  #entered(known: KnownKind, state: ReflectorState): void {
    const followed = this.#followed.get(known.kind);
    if (followed === undefined) return;
    followed.state = state;
    const { kind, apiVersion } = known;
    switch (state.state) {
      case "Starting":
        break;
      case "Watching":
        if (followed.saidAbsent) this.#options.log("info", `${kind} of ${apiVersion} is installed now`);
        followed.saidAbsent = false;
        this.#outages.recovered(kind);
        break;
      case "Absent":
        if (!followed.saidAbsent) this.#options.log("warn", `${kind} of ${apiVersion} is not installed: there are none until its CRD is`);
        followed.saidAbsent = true;
        this.#outages.recovered(kind);
        break;
      case "Failing":
        this.#outages.failing(kind, state.message);
        break;
    }
  }
}
