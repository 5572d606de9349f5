/**
 * What all files together say of each object. First speak the files that have it; then those that are just losing it, in
 * a version that is not believed yet; then those that had it before something in them could no longer be read.
 */
import type { KubernetesObject } from "../../../crds/core/object.ts";
import { violation, type Violation, warning } from "../../../crds/core/violation.ts";
import { structurallyEqual } from "../../collections/structural-equality.ts";
import type { SourceEntry } from "../../model/source-entry.ts";
import type { LocatedViolation } from "./located-violation.ts";
import { type Manifest, type ManifestObject, NO_MANIFEST } from "./manifest.ts";

/** Takes what an object is now; undefined when it is no more. */
export type EntrySink = (kind: string, key: string, entry: SourceEntry | undefined) => void;

interface FileState {
  readonly manifest: Manifest;
  readonly objects: ReadonlyMap<string, Givers>;
  /** Objects that a newer version, which is not believed yet, does not give any more. */
  readonly leaving: ReadonlySet<string>;
  /** What the file gave before, and may still be meant to give. */
  readonly hidden: ReadonlyMap<string, ManifestObject>;
}

const NO_FILE: FileState = { manifest: NO_MANIFEST, objects: new Map(), leaving: new Set(), hidden: new Map() };

/** Several files, or several documents, that give the same object: in the order of file and line. */
type Givers = readonly ManifestObject[];

export class ObjectTable {
  readonly #files = new Map<string, FileState>();
  /** By key: the files that have to do with the object. */
  readonly #filesOf = new Map<string, Set<string>>();
  readonly #lastGood = new Map<string, KubernetesObject>();
  readonly #duplicated = new Map<string, Givers>();
  readonly #touched = new Set<string>();

  /** Puts a version of a file in the place of the one before. */
  accept(file: string, manifest: Manifest): void {
    const { manifest: former, hidden: formerlyHidden } = this.#files.get(file) ?? NO_FILE;
    const hidden = new Map<string, ManifestObject>();
    const objects = Map.groupBy(manifest.objects, ({ key }) => key);
    if (manifest.hiding.length > 0) {
      for (const object of [...formerlyHidden.values(), ...former.objects]) hidden.set(object.key, object);
      for (const key of objects.keys()) hidden.delete(key);
    }
    this.#put(file, { manifest, objects, leaving: new Set(), hidden });
  }

  /**
   * While a newer version of a file waits to be believed, what it lacks steps back behind what other files say: it may
   * be on its way from one file to another.
   */
  hold(file: string, waiting: Manifest): void {
    const state = this.#files.get(file);
    if (state === undefined) return;
    const leaving = new Set(state.objects.keys());
    for (const { key } of waiting.objects) leaving.delete(key);
    this.#put(file, { ...state, leaving });
  }

  /** The version that stands has turned out to be the right one. */
  confirm(file: string): void {
    const state = this.#files.get(file);
    if (state !== undefined && state.leaving.size > 0) this.#put(file, { ...state, leaving: new Set() });
  }

  remove(file: string): void {
    this.#put(file, NO_FILE);
  }

  manifest(file: string): Manifest | undefined {
    return this.#files.get(file)?.manifest;
  }

  /** Hands on what has become of every object that the changes since the last call have to do with. */
  flush(sink: EntrySink): void {
    for (const key of this.#touched) {
      const kind = key.slice(0, key.indexOf("/"));
      sink(kind, key, this.#resolve(key));
    }
    this.#touched.clear();
  }

  /** Everything that is wrong with what the files say, in the order of files and lines. Warnings are among it. */
  problems(): LocatedViolation[] {
    const found = [...this.#files.values()].flatMap(({ manifest }) => manifest.violations);
    for (const givers of this.#duplicated.values()) found.push(...duplicateViolations(givers));
    return found.sort((one, other) => compare(one.file, other.file) || one.line - other.line || one.column - other.column);
  }

  #put(file: string, state: FileState): void {
    const former = this.#files.get(file) ?? NO_FILE;
    if (state === NO_FILE) this.#files.delete(file);
    else this.#files.set(file, state);
    const keys = new Set([...former.objects.keys(), ...former.hidden.keys(), ...state.objects.keys(), ...state.hidden.keys()]);
    for (const key of keys) {
      if (saysTheSame(former, state, key)) continue;
      this.#touched.add(key);
      if (state.objects.has(key) || state.hidden.has(key)) this.#relate(key, file);
      else this.#filesOf.get(key)?.delete(file);
    }
  }

  #relate(key: string, file: string): void {
    const files = this.#filesOf.get(key);
    if (files === undefined) this.#filesOf.set(key, new Set([file]));
    else files.add(file);
  }

  #resolve(key: string): SourceEntry | undefined {
    const files = [...(this.#filesOf.get(key) ?? [])].sort(compare).flatMap((file) => {
      const state = this.#files.get(file);
      return state === undefined ? [] : [state];
    });
    const ofKey = (states: readonly FileState[]): Givers => states.flatMap(({ objects }) => objects.get(key) ?? []);
    const current = ofKey(files.filter(({ leaving }) => !leaving.has(key)));
    const givers = current.length > 0 ? current : ofKey(files);
    if (givers.length > 1) this.#duplicated.set(key, givers);
    else this.#duplicated.delete(key);
    if (givers.length > 0) return this.#entryOf(key, givers);
    const hiding = files.find(({ hidden }) => hidden.has(key));
    if (hiding !== undefined) return this.#hiddenEntry(key, hiding);
    this.#lastGood.delete(key);
    this.#filesOf.delete(key);
    return undefined;
  }

  #entryOf(key: string, givers: Givers): SourceEntry | undefined {
    const [first, ...others] = givers;
    if (first === undefined) return undefined;
    const { content, identity, known, violations } = first;
    const origin = { file: first.file, line: first.line };
    const contradicted = others.some((other) => !structurallyEqual(other.content, content));
    if (known.security && contradicted) {
      const duplicates = duplicateViolations(givers);
      const partial = { metadata: identity, spec: unitedTargets(givers) };
      return { state: "invalid", identity, origin, violations: [...violations, ...duplicates], ...this.#lastGoodOf(key), partial };
    }
    if (content.state === "broken") {
      return { state: "invalid", identity, origin, violations, ...this.#lastGoodOf(key), partial: content.partial };
    }
    this.#lastGood.set(key, content.object);
    const warnings: Violation[] = [...violations];
    if (others.length > 0) warnings.push(warning("metadata.name", "Duplicate", `is also in ${others.map(placeName).join(" and ")}`));
    return { state: "valid", object: content.object, origin, warnings };
  }

  #hiddenEntry(key: string, { manifest, hidden }: FileState): SourceEntry | undefined {
    const object = hidden.get(key);
    if (object === undefined) return undefined;
    const { content, identity, file, line } = object;
    const [cause] = manifest.hiding;
    const message = `is no longer found in ${file}, part of which cannot be read: mend that, or write the object elsewhere`;
    const lost = cause === undefined ? [] : [{ ...cause, path: "", reason: "NotFound" as const, message }];
    const violations = [...lost, ...manifest.hiding];
    const partial = content.state === "valid" ? content.object : content.partial;
    return { state: "invalid", identity, origin: { file, line }, violations, ...this.#lastGoodOf(key), partial };
  }

  #lastGoodOf(key: string): { readonly lastGood?: KubernetesObject } {
    const lastGood = this.#lastGood.get(key);
    return lastGood === undefined ? {} : { lastGood };
  }
}

/** Whether an object's entry cannot be another one because a file went from one state to the other. */
function saysTheSame(former: FileState, state: FileState, key: string): boolean {
  if (former.leaving.has(key) !== state.leaving.has(key) || former.hidden.has(key) || state.hidden.has(key)) return false;
  const [one, ...ones] = former.objects.get(key) ?? [];
  const [other, ...others] = state.objects.get(key) ?? [];
  if (one === undefined || other === undefined || ones.length > 0 || others.length > 0) return false;
  return one.content === other.content && one.line === other.line && one.violations.length === 0 && other.violations.length === 0;
}

function duplicateViolations(givers: Givers): LocatedViolation[] {
  const [first, ...others] = givers;
  if (first === undefined) return [];
  const { kind, namespace, name } = first.identity;
  const what = `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
  return others.map(({ content, known, file, line, column }) => {
    const refuses = known.security && !structurallyEqual(first.content, content);
    const consequence = refuses ? "they differ, so what they target refuses" : "that one stands";
    const found = violation(
      "metadata.name",
      "Duplicate",
      `${what} is also in ${placeName(first)}, and ${consequence}: remove one of the two`,
    );
    return { ...found, file, line, column };
  });
}

function placeName({ file, line }: ManifestObject): string {
  return `${file}:${line}`;
}

/**
 * The targets of objects that contradict each other: of all of them together, so that none is left open. Where they
 * cannot be listed together there are none, which stands for everything in reach.
 */
function unitedTargets(givers: Givers): Readonly<Record<string, unknown>> {
  const specs = givers.map(({ content }) => specOf(content.state === "valid" ? content.object : content.partial));
  for (const field of ["targetRefs", "targetSelectors"]) {
    const lists = specs.map((spec) => spec[field]);
    const alone = specs.every((spec) => Object.keys(spec).filter((name) => name.startsWith("target")).length === 1);
    if (alone && lists.every(Array.isArray)) return { [field]: lists.flat() };
  }
  return {};
}

function specOf(value: unknown): Readonly<Record<string, unknown>> {
  const spec = typeof value === "object" && value !== null && "spec" in value ? value.spec : undefined;
  return typeof spec === "object" && spec !== null ? (spec as Readonly<Record<string, unknown>>) : {};
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
