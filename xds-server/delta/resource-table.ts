/**
 * Everything that the mesh's sidecars may see, indexed both ways: a view knows its layers and a layer its views, a
 * resource knows the layers that hold it. So an update costs what it changes and the layers that this reaches.
 */
import type { EncodedResource, ResourceId, XdsUpdate } from "./feed.ts";
import { sameContent, ViewJournal } from "./view-journal.ts";

/** A resource's place in the table: it stays while the content changes, and may wait for content that is still to come. */
export class TableResource {
  readonly layers = new Set<TableLayer>();
  content: EncodedResource | undefined;
  /** Unique for each content of each resource: a short name for its bytes. */
  serial = 0;
}

export class TableLayer {
  readonly key: string;
  readonly views = new Set<View>();
  resources: ReadonlySet<ResourceId> = new Set();
  /** What has content, by type and then by name on the wire. */
  readonly named = new Map<string, Map<string, TableResource>>();

  constructor(key: string) {
    this.key = key;
  }
}

/** What one subscriber sees: the union of its layers. */
export class View {
  readonly subscriber: string;
  layers: readonly TableLayer[] = [];

  constructor(subscriber: string) {
    this.subscriber = subscriber;
  }

  lookup(typeUrl: string, name: string): TableResource | undefined {
    for (const layer of this.layers) {
      const found = layer.named.get(typeUrl)?.get(name);
      if (found) return found;
    }
    return undefined;
  }

  names(typeUrl: string): Set<string> {
    const names = new Set<string>();
    for (const layer of this.layers) for (const name of layer.named.get(typeUrl)?.keys() ?? []) names.add(name);
    return names;
  }
}

/** Names on the wire by type URL. Shared by all whom a change reaches in the same way, so never altered. */
export type ChangedNames = ReadonlyMap<string, ReadonlySet<string>>;

export interface TableChange {
  /** Layers whose content differs. Holds for every view of the layer that is not in {@link views}. */
  readonly layers: ReadonlyMap<TableLayer, ChangedNames>;
  /** Views that consist of other layers than before, with all that differs for them. */
  readonly views: ReadonlyMap<View, readonly ChangedNames[]>;
  readonly appeared: readonly View[];
  readonly disappeared: readonly View[];
}

export class ResourceTable {
  readonly #resources = new Map<ResourceId, TableResource>();
  readonly #layers = new Map<string, TableLayer>();
  readonly #views = new Map<string, View>();
  #serial = 0;

  view(subscriber: string): View | undefined {
    return this.#views.get(subscriber);
  }

  get size(): { readonly resources: number; readonly layers: number; readonly views: number } {
    return { resources: this.#resources.size, layers: this.#layers.size, views: this.#views.size };
  }

  /** Takes a whole update at once. References that lead nowhere are harmless: what they name may still come. */
  apply(update: XdsUpdate): TableChange {
    const journal = new ViewJournal();
    for (const [id, content] of update.resources) this.#setResource(id, content, journal);
    for (const [key, layer] of update.layers) this.#setLayer(key, layer?.resources ?? new Set(), journal);
    const layers = journal.changes();

    const views = new Map<View, readonly ChangedNames[]>();
    const appeared: View[] = [];
    const disappeared: View[] = [];
    const transitions = new Map<string, ChangedNames>();
    for (const [key, subscriber] of update.subscribers) {
      const view = this.#views.get(key);
      if (!subscriber) {
        if (!view) continue;
        this.#views.delete(key);
        this.#relayer(view, []);
        disappeared.push(view);
      } else if (!view) {
        const created = new View(key);
        this.#views.set(key, created);
        this.#relayer(created, subscriber.layers);
        appeared.push(created);
      } else {
        const before = view.layers;
        this.#relayer(view, subscriber.layers);
        const dropped = before.filter((layer) => !view.layers.includes(layer));
        const gained = view.layers.filter((layer) => !before.includes(layer));
        if (dropped.length === 0 && gained.length === 0) continue;
        const transition = JSON.stringify([dropped.map((layer) => layer.key), gained.map((layer) => layer.key)]);
        let difference = transitions.get(transition);
        if (!difference) transitions.set(transition, (difference = journal.difference(dropped, gained)));
        const kept = view.layers.flatMap((layer) => (before.includes(layer) ? (layers.get(layer) ?? []) : []));
        views.set(view, [difference, ...kept]);
      }
    }
    return { layers, views, appeared, disappeared };
  }

  #setResource(id: ResourceId, content: EncodedResource | undefined, journal: ViewJournal): void {
    const resource = this.#resources.get(id) ?? new TableResource();
    const before = resource.content;
    if (before === content || (before && content && sameContent(before, content))) return;
    if (before) for (const layer of resource.layers) journal.unlink(layer, before, resource);
    resource.content = content;
    resource.serial = ++this.#serial;
    if (content) for (const layer of resource.layers) journal.link(layer, content, resource);
    if (content || resource.layers.size > 0) this.#resources.set(id, resource);
    else this.#resources.delete(id);
  }

  #setLayer(key: string, ids: ReadonlySet<ResourceId>, journal: ViewJournal): void {
    const layer = this.#layer(key);
    const before = layer.resources;
    layer.resources = ids;
    for (const id of before) {
      const resource = ids.has(id) ? undefined : this.#resources.get(id);
      if (!resource) continue;
      resource.layers.delete(layer);
      if (resource.content) journal.unlink(layer, resource.content, resource);
      else if (resource.layers.size === 0) this.#resources.delete(id);
    }
    for (const id of ids) {
      if (before.has(id)) continue;
      let resource = this.#resources.get(id);
      if (!resource) this.#resources.set(id, (resource = new TableResource()));
      resource.layers.add(layer);
      if (resource.content) journal.link(layer, resource.content, resource);
    }
    this.#forgetUnused(layer);
  }

  #relayer(view: View, keys: readonly string[]): void {
    const before = view.layers;
    view.layers = [...new Set(keys)].map((key) => this.#layer(key));
    for (const layer of before) layer.views.delete(view);
    for (const layer of view.layers) layer.views.add(view);
    for (const layer of before) this.#forgetUnused(layer);
  }

  #layer(key: string): TableLayer {
    let layer = this.#layers.get(key);
    if (!layer) this.#layers.set(key, (layer = new TableLayer(key)));
    return layer;
  }

  #forgetUnused(layer: TableLayer): void {
    if (layer.views.size === 0 && layer.resources.size === 0) this.#layers.delete(layer.key);
  }
}
