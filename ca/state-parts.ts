import { StateError } from "./state-error.ts";
import type { StateRemedies, StateStore } from "./state-store.ts";

export interface StatePlace {
  /** For messages: what holds the parts. */
  readonly path: string;
  readonly remedies: StateRemedies;
}

/**
 * State in memory, of which somebody else keeps the lasting copy: what reads and changes it is done at once, and whoever
 * made it writes {@link parts} to where they last, or drops them.
 */
export class StateParts implements StateStore {
  readonly remedies: StateRemedies;
  readonly #path: string;
  readonly #parts: Map<string, string>;
  #changed = false;
  #sealed = false;

  constructor(place: StatePlace, parts: ReadonlyMap<string, string>) {
    this.remedies = place.remedies;
    this.#path = place.path;
    this.#parts = new Map(parts);
  }

  get parts(): ReadonlyMap<string, string> {
    return this.#parts;
  }

  /** Whether anything differs from what it was made with. */
  get changed(): boolean {
    return this.#changed;
  }

  /** From now on it is only read: what is changed in memory alone would be lost. */
  seal(): this {
    this.#sealed = true;
    return this;
  }

  pathOf(name: string): string {
    return `${this.#path} (${name})`;
  }

  read(name: string): string | undefined {
    return this.#parts.get(name);
  }

  readOrCreate(name: string, make: () => string): string {
    const present = this.#parts.get(name);
    if (present !== undefined) return present;
    const made = make();
    this.replace(name, made);
    return made;
  }

  replace(name: string, content: string): void {
    this.#refuseSealed(name);
    this.#parts.set(name, content);
    this.#changed = true;
  }

  rename(from: string, to: string): void {
    const content = this.#parts.get(from);
    if (content === undefined) throw new StateError("StateNotWritable", this.pathOf(from), "is missing", this.remedies.restore);
    this.replace(to, content);
    this.remove(from);
  }

  remove(name: string): void {
    this.#refuseSealed(name);
    if (this.#parts.delete(name)) this.#changed = true;
  }

  #refuseSealed(name: string): void {
    if (!this.#sealed) return;
    throw new StateError("StateNotWritable", this.pathOf(name), "is only followed here", "Change it where it is kept");
  }
}
