/**
 * Where the mesh's keys stand: parts, each a text with a name such as `root.pem`. A part appears whole or not at all.
 * A folder is one (state-folder.ts), parts in memory that somebody else keeps are another (state-parts.ts).
 *
 * Every method throws a StateError.
 */
export interface StateStore {
  readonly remedies: StateRemedies;
  /** Where a part is, for messages. */
  pathOf(name: string): string;
  /** A part, or undefined where there is none. */
  read(name: string): string | undefined;
  /** A part, which is made where there is none. Of several that make it at once one wins, and all return its content. */
  readOrCreate(name: string, make: () => string): string;
  replace(name: string, content: string): void;
  rename(from: string, to: string): void;
  remove(name: string): void;
}

/** What a person can do about a broken state, in words for this kind of place. */
export interface StateRemedies {
  /** Begins a sentence. */
  readonly restore: string;
  /** The remedy of last resort, in the middle of a sentence. */
  readonly startOver: string;
  /** Takes one part away; begins a sentence. */
  readonly removePart: string;
}
