/** Hands what changed in a tick to the delta server, once, as one update. */
import type { EncodedResource, Layer, ResourceId, Subscriber, XdsUpdate } from "../xds-server/delta/feed.ts";
import type { Change, Collection } from "./collections/collection.ts";
import type { Graph } from "./collections/graph.ts";

export interface XdsContent {
  readonly resources: Collection<ResourceId, EncodedResource>;
  readonly layers: Collection<string, Layer>;
  readonly subscribers: Collection<string, Subscriber>;
}

/** Calls `apply` with all that there is now, and then after every tick that changed anything that a sidecar could see. */
export function feedXds(graph: Graph, content: XdsContent, apply: (update: XdsUpdate) => void): void {
  let resources = new Map<ResourceId, EncodedResource | undefined>(content.resources.entries());
  let layers = new Map<string, Layer | undefined>(content.layers.entries());
  let subscribers = new Map<string, Subscriber | undefined>(content.subscribers.entries());
  content.resources.onChange((changes) => (resources = newest(changes)));
  content.layers.onChange((changes) => (layers = newest(changes)));
  content.subscribers.onChange((changes) => (subscribers = newest(changes)));
  const hand = (): void => {
    if (resources.size + layers.size + subscribers.size === 0) return;
    const update = { resources, layers, subscribers };
    resources = new Map();
    layers = new Map();
    subscribers = new Map();
    apply(update);
  };
  hand();
  graph.onTick(hand);
}

function newest<V>(changes: ReadonlyMap<string, Change<V>>): Map<string, V | undefined> {
  return new Map([...changes].map(([key, change]) => [key, change.kind === "removed" ? undefined : change.value]));
}
