/** One version of one file: what it says, with places in the file. */
import { violation } from "../../../crds/core/violation.ts";
import type { KnownKind } from "../known-kind.ts";
import { inOrder, type LocatedViolation, type PlacedViolation, shifted } from "./located-violation.ts";
import { decodeManifest, splitDocuments } from "./manifest-text.ts";
import { readDocument, type ReadDocument, type ReadObject } from "./read-document.ts";

/** An object as a file has it. */
export type ManifestObject = Omit<ReadObject, "place" | "violations"> & {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly violations: readonly LocatedViolation[];
};

export interface Manifest {
  /** Bytes. */
  readonly size: number;
  readonly objects: readonly ManifestObject[];
  /** Everything that is wrong in the file, that of its objects included. */
  readonly violations: readonly LocatedViolation[];
  /** Those because of which the file may have held objects that are not found in it any more; see ReadDocument. */
  readonly hiding: readonly LocatedViolation[];
}

export const NO_MANIFEST: Manifest = { size: 0, objects: [], violations: [], hiding: [] };

/** A file of which nothing can be said but why. */
export function unreadableManifest(file: string, size: number, message: string, line = 1, column = 1): Manifest {
  const problem = { ...violation("", "Malformed", message), file, line, column };
  return { size, objects: [], violations: [problem], hiding: [problem] };
}

/**
 * Reads the versions of one file, one after the other. A document whose text has not changed is not read again, wherever
 * it has moved to: a change costs what it touches.
 */
export class ManifestReader {
  readonly #file: string;
  readonly #kinds: ReadonlyMap<string, KnownKind>;
  #documents = new Map<string, ReadDocument>();

  constructor(file: string, kinds: ReadonlyMap<string, KnownKind>) {
    this.#file = file;
    this.#kinds = kinds;
  }

  read(bytes: Buffer): Manifest {
    const file = this.#file;
    const decoded = decodeManifest(bytes);
    if (decoded.kind === "refused") {
      const { message, line, column } = decoded.problem;
      return unreadableManifest(file, bytes.length, message, line, column);
    }
    const documents = new Map<string, ReadDocument>();
    const objects: ManifestObject[] = [];
    const violations: LocatedViolation[] = [];
    const hiding: LocatedViolation[] = [];
    for (const { text, firstLine } of splitDocuments(decoded.text)) {
      const read = documents.get(text) ?? this.#documents.get(text) ?? readDocument(text, this.#kinds);
      documents.set(text, read);
      const located = (found: readonly PlacedViolation[]): LocatedViolation[] => found.map((one) => ({ ...shifted(one, firstLine), file }));
      const inDocument = located(read.problems);
      for (const { place, violations: ofObject, ...object } of read.objects) {
        const locatedViolations = located(ofObject);
        objects.push({ ...object, ...shifted(place, firstLine), file, violations: locatedViolations });
        inDocument.push(...locatedViolations);
      }
      violations.push(...inDocument);
      if (read.mayHide) hiding.push(...inDocument.filter(({ severity }) => severity === "error"));
    }
    this.#documents = documents;
    return { size: bytes.length, objects, violations: distinct(violations), hiding: distinct(hiding) };
  }
}

/** In order, and each once: what is wrong with a text is wrong with every object in it. */
function distinct(violations: readonly LocatedViolation[]): LocatedViolation[] {
  return inOrder([...new Map(violations.map((one) => [JSON.stringify(one), one])).values()]);
}
