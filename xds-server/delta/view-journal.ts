import type { EncodedResource } from "./feed.ts";
import type { ChangedNames, TableLayer, TableResource } from "./resource-table.ts";

/** Equal type, name and version mean equal bytes: that is what the feed promises. */
export function sameContent(a: EncodedResource, b: EncodedResource): boolean {
  return a.version === b.version && a.name === b.name && a.typeUrl === b.typeUrl;
}

function unchanged(a: EncodedResource | undefined, b: EncodedResource | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && sameContent(a, b));
}

function present(layer: TableLayer, typeUrl: string, name: string): EncodedResource | undefined {
  return layer.named.get(typeUrl)?.get(name)?.content;
}

/**
 * Remembers, during one update, what each touched layer held before: enough to tell what differs in the end, whatever
 * the order in which the update's parts were applied.
 */
export class ViewJournal {
  readonly #before = new Map<TableLayer, Map<string, Map<string, EncodedResource | undefined>>>();

  /** Puts a resource under its name into a layer's index. */
  link(layer: TableLayer, content: EncodedResource, resource: TableResource): void {
    this.#note(layer, content.typeUrl, content.name);
    subMap(layer.named, content.typeUrl).set(content.name, resource);
  }

  /** Takes a resource out of a layer's index, unless another has taken over its name. */
  unlink(layer: TableLayer, content: EncodedResource, resource: TableResource): void {
    this.#note(layer, content.typeUrl, content.name);
    const named = layer.named.get(content.typeUrl);
    if (named?.get(content.name) !== resource) return;
    named.delete(content.name);
    if (named.size === 0) layer.named.delete(content.typeUrl);
  }

  /** What differs within each layer that was touched. */
  changes(): Map<TableLayer, ChangedNames> {
    const changes = new Map<TableLayer, ChangedNames>();
    for (const [layer, types] of this.#before) {
      const changed = new Map<string, Set<string>>();
      for (const [typeUrl, names] of types) {
        for (const [name, before] of names) if (!unchanged(before, present(layer, typeUrl, name))) add(changed, typeUrl, name);
      }
      if (changed.size > 0) changes.set(layer, changed);
    }
    return changes;
  }

  /** What differs for a view that had `dropped` before the update and has `gained` after it. */
  difference(dropped: readonly TableLayer[], gained: readonly TableLayer[]): ChangedNames {
    const before = new Map<string, Map<string, EncodedResource>>();
    for (const layer of dropped) {
      for (const [typeUrl, named] of layer.named) {
        for (const name of named.keys()) this.#collect(before, layer, typeUrl, name);
      }
      for (const [typeUrl, names] of this.#before.get(layer) ?? []) {
        for (const name of names.keys()) this.#collect(before, layer, typeUrl, name);
      }
    }
    const changed = new Map<string, Set<string>>();
    for (const layer of gained) {
      for (const [typeUrl, named] of layer.named) {
        for (const [name, resource] of named) {
          if (!unchanged(before.get(typeUrl)?.get(name), resource.content)) add(changed, typeUrl, name);
        }
      }
    }
    for (const [typeUrl, names] of before) {
      for (const name of names.keys()) {
        if (!gained.some((layer) => present(layer, typeUrl, name))) add(changed, typeUrl, name);
      }
    }
    return changed;
  }

  #collect(into: Map<string, Map<string, EncodedResource>>, layer: TableLayer, typeUrl: string, name: string): void {
    const noted = this.#before.get(layer)?.get(typeUrl);
    const content = noted?.has(name) ? noted.get(name) : present(layer, typeUrl, name);
    if (content) subMap(into, typeUrl).set(name, content);
  }

  #note(layer: TableLayer, typeUrl: string, name: string): void {
    const names = subMap(subMap(this.#before, layer), typeUrl);
    if (!names.has(name)) names.set(name, present(layer, typeUrl, name));
  }
}

/** The map at a key, made when it is not there yet. */
function subMap<Key, SubKey, Value>(map: Map<Key, Map<SubKey, Value>>, key: Key): Map<SubKey, Value> {
  let found = map.get(key);
  if (!found) map.set(key, (found = new Map<SubKey, Value>()));
  return found;
}

function add(names: Map<string, Set<string>>, typeUrl: string, name: string): void {
  const set = names.get(typeUrl);
  if (set) set.add(name);
  else names.set(typeUrl, new Set([name]));
}
