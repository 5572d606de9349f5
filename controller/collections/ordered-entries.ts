/**
 * Entries that are read in the order of their keys, many times between changes. Changes are set aside and merged by the
 * next read: filling costs one sort, an edit one copy. Arrays that were handed out are never modified.
 */
export class OrderedEntries<K extends string, V> {
  #keys: readonly K[] = [];
  #values: readonly V[] = [];
  /** What changed since the arrays were made; an undefined value is a removal. */
  #pending: Map<K, V | undefined> | undefined = undefined;

  set(key: K, value: V): void {
    if (this.#pending === undefined && this.#keys.length === 0) {
      this.#keys = [key];
      this.#values = [value];
    } else {
      (this.#pending ??= new Map<K, V | undefined>()).set(key, value);
    }
  }

  delete(key: K): void {
    (this.#pending ??= new Map<K, V | undefined>()).set(key, undefined);
  }

  keys(): readonly K[] {
    this.#merge();
    return this.#keys;
  }

  /** In the order of `keys`. */
  values(): readonly V[] {
    this.#merge();
    return this.#values;
  }

  #merge(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    const changed = [...pending.keys()].sort(compareKeys);
    const keys: K[] = [];
    const values: V[] = [];
    let position = 0;
    const keepBefore = (limit: K | undefined): void => {
      for (; position < this.#keys.length; position++) {
        const key = this.#keys[position] as K;
        if (limit !== undefined && key >= limit) break;
        keys.push(key);
        values.push(this.#values[position] as V);
      }
    };
    for (const key of changed) {
      keepBefore(key);
      if (this.#keys[position] === key) position++;
      const value = pending.get(key);
      if (value === undefined) continue;
      keys.push(key);
      values.push(value);
    }
    keepBefore(undefined);
    this.#keys = keys;
    this.#values = values;
  }
}

/** The order of keys everywhere in a graph: by UTF-16 code units. */
export function compareKeys(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
