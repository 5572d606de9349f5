import { AdsStream, type StreamEvents, type StreamSurroundings } from "./ads-stream.ts";
import type { Clock } from "./clock.ts";
import type { PrivateResources, XdsUpdate } from "./feed.ts";
import { type ChangedNames, ResourceTable, type View } from "./resource-table.ts";
import { ResponseCache } from "./response-cache.ts";

export interface ApplyReport {
  /** The number of this update. Updates are numbered from 1. */
  readonly sequence: number;
  /** Streams that the update concerns: something they asked for has changed. */
  readonly streamsTouched: number;
  /** Bytes of responses that were handed to the transport at once; what flow control held back comes later. */
  readonly bytesQueued: number;
}

export interface AppliedUpdate {
  readonly report: ApplyReport;
  /** The subscribers of the streams that the update concerns. */
  readonly touched: ReadonlySet<string>;
  /** Subscribers that have a view from now on. */
  readonly appeared: readonly View[];
  readonly disappeared: readonly View[];
}

export interface MeshStreamsOptions {
  readonly clock: Clock;
  readonly privateResources: readonly PrivateResources[];
  readonly orderPatienceMs: number;
}

/** The table and the streams that see parts of it: takes updates in and spreads them to those whom they reach. */
export class MeshStreams {
  readonly #table = new ResourceTable();
  readonly #cache = new ResponseCache();
  readonly #streams = new Map<View, Set<AdsStream>>();
  readonly #surroundings: StreamSurroundings;
  #sequence = 0;

  constructor(options: MeshStreamsOptions) {
    this.#surroundings = { ...options, cache: this.#cache, sequence: () => this.#sequence };
  }

  get sequence(): number {
    return this.#sequence;
  }

  get size(): { readonly resources: number; readonly layers: number; readonly views: number } {
    return this.#table.size;
  }

  /** Undefined before the first update, and for a subscriber that the feed does not know. */
  view(subscriber: string): View | undefined {
    return this.#table.view(subscriber);
  }

  /** A stream of the view's subscriber. It receives updates until it is closed. */
  open(view: View, events: StreamEvents): AdsStream {
    const stream = new AdsStream(view, this.#surroundings, events);
    const streams = this.#streams.get(view);
    if (streams) streams.add(stream);
    else this.#streams.set(view, new Set([stream]));
    return stream;
  }

  close(stream: AdsStream): void {
    stream.close();
    const streams = this.#streams.get(stream.view);
    streams?.delete(stream);
    if (streams?.size === 0) this.#streams.delete(stream.view);
  }

  apply(update: XdsUpdate): AppliedUpdate {
    const sequence = ++this.#sequence;
    this.#cache.rotate();
    const change = this.#table.apply(update);
    const touched = new Set<AdsStream>();
    for (const [layer, names] of change.layers) {
      for (const view of layer.views) if (!change.views.has(view)) this.#mark(view, names, touched);
    }
    for (const [view, differences] of change.views) {
      for (const names of differences) this.#mark(view, names, touched);
    }
    let bytesQueued = 0;
    for (const stream of touched) bytesQueued += stream.flush();
    const { appeared, disappeared } = change;
    const report = { sequence, streamsTouched: touched.size, bytesQueued };
    return { report, touched: new Set([...touched].map(({ view }) => view.subscriber)), appeared, disappeared };
  }

  #mark(view: View, names: ChangedNames, touched: Set<AdsStream>): void {
    for (const stream of this.#streams.get(view) ?? []) if (stream.mark(names, this.#sequence)) touched.add(stream);
  }
}
