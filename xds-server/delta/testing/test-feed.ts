import { encodeResource } from "../encoding.ts";
import type { EncodedResource, Layer, Subscriber, XdsUpdate } from "../feed.ts";
import { TYPE_URL } from "../resource-types.ts";

export type TypeName = keyof typeof TYPE_URL;

/** A resource whose message is just this text: the server does not look inside. */
export function resource(type: TypeName, name: string, content = "1"): EncodedResource {
  return encodeResource(TYPE_URL[type], name, Buffer.from(`${name} ${content}`));
}

/** Which resources each layer holds, and which layers each subscriber sees. */
export interface MeshState {
  readonly layers: Readonly<Record<string, readonly EncodedResource[]>>;
  readonly subscribers: Readonly<Record<string, readonly string[]>>;
}

/** Turns whole states into the updates between them, as the controller would feed them. */
export class TestFeed {
  #resources = new Map<string, EncodedResource>();
  #layers = new Map<string, Layer>();
  #subscribers = new Map<string, Subscriber>();

  to(state: MeshState): XdsUpdate {
    const resources = new Map<string, EncodedResource>();
    const layers = new Map<string, Layer>();
    for (const [key, members] of Object.entries(state.layers)) {
      // Layers may have resources of the same name with different content: one id each.
      for (const member of members) resources.set(idOf(key, member), member);
      layers.set(key, { key, resources: new Set(members.map((member) => idOf(key, member))) });
    }
    const subscribers = new Map(Object.entries(state.subscribers).map(([key, its]) => [key, { key, layers: its }]));
    const update = {
      resources: changes(this.#resources, resources, (a, b) => a.version === b.version),
      layers: changes(this.#layers, layers, (a, b) => [...a.resources].join() === [...b.resources].join()),
      subscribers: changes(this.#subscribers, subscribers, (a, b) => a.layers.join() === b.layers.join()),
    };
    this.#resources = resources;
    this.#layers = layers;
    this.#subscribers = subscribers;
    return update;
  }
}

function idOf(layer: string, { typeUrl, name }: EncodedResource): string {
  return `${layer} ${typeUrl} ${name}`;
}

function changes<Value>(
  before: ReadonlyMap<string, Value>,
  after: ReadonlyMap<string, Value>,
  equal: (a: Value, b: Value) => boolean,
): Map<string, Value | undefined> {
  const changed = new Map<string, Value | undefined>();
  for (const [key, value] of after) {
    const old = before.get(key);
    if (old === undefined || !equal(old, value)) changed.set(key, value);
  }
  for (const key of before.keys()) if (!after.has(key)) changed.set(key, undefined);
  return changed;
}
