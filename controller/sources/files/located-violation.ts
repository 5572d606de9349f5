import type { Violation } from "../../../crds/core/violation.ts";

/** A place in a text; both count from 1, columns in UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A violation with its place in some text. */
export type PlacedViolation = Violation & Position;

/** A violation with its place in a file. Its path is that of the object which stands there, not of the document. */
export type LocatedViolation = PlacedViolation & { readonly file: string };

/** Moves a place in a part of a text to its place in the whole, when the part begins with the whole's line `firstLine`. */
export function shifted<P extends Position>(place: P, firstLine: number): P {
  return firstLine === 1 ? place : { ...place, line: place.line + firstLine - 1 };
}

/** By place, and then in the order in which they were found. */
export function inOrder<P extends Position>(places: readonly P[]): P[] {
  return places.toSorted((one, other) => one.line - other.line || one.column - other.column);
}
