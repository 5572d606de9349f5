/** Who looked what up. */

/** A collection whose entries look things up. */
export interface Dependent {
  isDirty(key: string): boolean;
  markDirty(key: string): void;
}

/** Stands for all entries of what is looked up. */
export const EVERYTHING = Symbol("everything");
export type LookupKey = string | typeof EVERYTHING;

/**
 * One lookup by one entry. It is an item of two linked lists: the entry's lookups, and the lookups of the same key.
 * There are as many of these as lookups in the mesh, so they are linked rather than kept in a Set per key and per entry.
 */
export class Dependency {
  readonly dependent: Dependent;
  readonly key: string;
  readonly target: Dependents;
  readonly lookup: LookupKey;
  readonly predicate: ((value: never) => boolean) | undefined;
  /** The entry's next lookup. */
  readonly sibling: Dependency | undefined;
  /** Neighbours among the lookups of the same key; kept by Dependents. */
  previous: Dependency | undefined = undefined;
  next: Dependency | undefined = undefined;

  constructor(
    dependent: Dependent,
    key: string,
    target: Dependents,
    lookup: LookupKey,
    predicate: ((value: never) => boolean) | undefined,
    sibling: Dependency | undefined,
  ) {
    this.dependent = dependent;
    this.key = key;
    this.target = target;
    this.lookup = lookup;
    this.predicate = predicate;
    this.sibling = sibling;
  }
}

/** Forgets an entry's lookups, given the first of them. */
export function releaseAll(first: Dependency | undefined): void {
  for (let dependency = first; dependency !== undefined; dependency = dependency.sibling) dependency.target.remove(dependency);
}

/** Everybody who looked something up in one collection or index, by what was looked up. */
export class Dependents {
  readonly #first = new Map<LookupKey, Dependency>();

  get isEmpty(): boolean {
    return this.#first.size === 0;
  }

  add(dependency: Dependency): void {
    const first = this.#first.get(dependency.lookup);
    if (first !== undefined) {
      dependency.next = first;
      first.previous = dependency;
    }
    this.#first.set(dependency.lookup, dependency);
  }

  remove(dependency: Dependency): void {
    const { previous, next, lookup } = dependency;
    if (next !== undefined) next.previous = previous;
    if (previous !== undefined) previous.next = next;
    else if (next !== undefined) this.#first.set(lookup, next);
    else this.#first.delete(lookup);
    dependency.previous = undefined;
    dependency.next = undefined;
  }

  /** Marks whom a change from `old` to `value` concerns; `undefined` is absence. */
  markDirty(lookup: LookupKey, old: unknown, value: unknown): void {
    for (let dependency = this.#first.get(lookup); dependency !== undefined; dependency = dependency.next) {
      const { dependent, key, predicate } = dependency;
      if (dependent.isDirty(key)) continue;
      if (predicate === undefined || holds(predicate, old) || holds(predicate, value)) dependent.markDirty(key);
    }
  }
}

/** A predicate that throws is taken to hold: its transform then runs into the same error, and that one is reported. */
function holds(predicate: (value: never) => boolean, value: unknown): boolean {
  if (value === undefined) return false;
  try {
    return predicate(value as never);
  } catch {
    return true;
  }
}
