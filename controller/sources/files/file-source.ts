/**
 * A folder of YAML as the source of every object: what Seawall reads where there is no cluster.
 *
 * Any event in the folder leads to a look at the whole of it (folder-scan.ts); files whose stamps changed are read
 * again, documents whose text changed are parsed again (manifest.ts), and what all files together say of an object
 * (object-table.ts) becomes its entry. folder-content.ts tells when a new version is believed, read-document.ts how a
 * document becomes objects with everything that is wrong with them, quoting traps and all.
 *
 * Nothing that is wrong with one object touches another. An object that does not hold, that two files contradict each other
 * about, or that may be hidden in what can no longer be read, is `invalid`, with its last good state beside
 * it. Security kinds then refuse at their targets; the users of other kinds go on with the last good state.
 */
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Kind } from "../../../crds/core/kind.ts";
import type { Source, Unsubscribe } from "../../collections/collection.ts";
import type { SourceEntry } from "../../model/source-entry.ts";
import { FolderContent, reasonOf } from "./folder-content.ts";
import { codeOf, type FolderScan, scanFolders } from "./folder-scan.ts";
import { FolderWatch } from "./folder-watch.ts";
import { knownKinds, type ObjectCheck } from "../known-kinds.ts";
import type { LocatedViolation } from "./located-violation.ts";

export interface ReadOptions {
  /** Seawall's own kinds; those of Kubernetes that it reads are known. */
  readonly kinds: readonly Kind[];
  /** The largest file that is read, in bytes. Default 4 MiB. */
  readonly maxFileBytes?: number;
  /** Checks an object of one of `kinds`; the kind's schema and then its `validate` unless given. */
  readonly check?: ObjectCheck;
}

export interface FileSourceOptions extends ReadOptions {
  readonly folder: string;
  /**
   * Where the objects of a kind go, under the keys of `sourceKey`; asked once for each known kind. Objects of a kind
   * without a source are read and checked only.
   */
  readonly source: (kind: string) => Source<string, SourceEntry> | undefined;
  /**
   * How long a version of a file that says less than the one before must stand before it is believed, in milliseconds.
   * Default 20. See folder-content.ts.
   */
  readonly settleMs?: number;
}

/** Why a folder cannot be a source, and what to do about it. */
export interface FolderFailure {
  readonly kind: "failed";
  readonly code: "FolderNotFound" | "NotAFolder" | "FolderUnreadable" | "FolderUnwatchable";
  readonly message: string;
}

export type FileSourceOpening = { readonly kind: "open"; readonly source: FileSource } | FolderFailure;

const DEFAULT_MAX_FILE_BYTES = 4 * 1024 * 1024;
const DEFAULT_SETTLE_MS = 20;
const MOST_LOOKS = 10;

export class FileSource {
  readonly #folder: string;
  readonly #content: FolderContent;
  readonly #sources: ReadonlyMap<string, Source<string, SourceEntry>>;
  readonly #watch: FolderWatch;
  readonly #listeners = new Set<(problems: readonly LocatedViolation[]) => void>();
  #problems: readonly LocatedViolation[] = [];
  #due: NodeJS.Immediate | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** Reads everything, marks the sources synced, and watches from then on. */
  static open(options: FileSourceOptions): FileSourceOpening {
    const failure = failureOf(options.folder);
    if (failure !== undefined) return failure;
    const source = new FileSource(options);
    const unwatched = source.#watch.failures.find(({ path }) => path === options.folder);
    if (unwatched !== undefined) {
      source.close();
      return { kind: "failed", code: "FolderUnwatchable", message: `${unwatched.path} ${reasonOf(unwatched.code)}` };
    }
    for (const target of source.#sources.values()) target.markSynced();
    return { kind: "open", source };
  }

  private constructor(options: FileSourceOptions) {
    const kinds = knownKinds(options.kinds, options.check);
    this.#folder = options.folder;
    this.#content = new FolderContent({
      kinds,
      maxFileBytes: options.maxFileBytes ?? DEFAULT_MAX_FILE_BYTES,
      settleMs: options.settleMs ?? DEFAULT_SETTLE_MS,
      now: () => performance.now(),
      wallClock: Date.now,
    });
    this.#sources = new Map(
      [...kinds.keys()].flatMap((kind) => {
        const source = options.source(kind);
        return source === undefined ? [] : [[kind, source]];
      }),
    );
    this.#watch = new FolderWatch(() => {
      this.#due ??= setImmediate(() => this.rescan());
    });
    this.rescan();
  }

  /** Everything that is wrong in the folder, by file and line, also what became an entry; warnings too. */
  get problems(): readonly LocatedViolation[] {
    return this.#problems;
  }

  /** Calls the listener with all problems whenever they are others than before. */
  onProblems(listener: (problems: readonly LocatedViolation[]) => void): Unsubscribe {
    const subscription = (problems: readonly LocatedViolation[]): void => listener(problems);
    this.#listeners.add(subscription);
    return () => void this.#listeners.delete(subscription);
  }

  /** Looks at the folder now. Events do it by themselves; this is for file systems that send none. */
  rescan(): void {
    clearImmediate(this.#due);
    clearTimeout(this.#timer);
    this.#due = undefined;
    this.#content.update(this.#scanAndWatch());
    this.#content.flush((kind, key, entry) => {
      const source = this.#sources.get(kind);
      if (entry === undefined) source?.delete(key);
      else source?.set(key, entry);
    });
    const wait = this.#content.untilNextDecision();
    if (wait !== undefined) this.#timer = setTimeout(() => this.rescan(), wait);
    this.#publishProblems();
  }

  close(): void {
    clearImmediate(this.#due);
    clearTimeout(this.#timer);
    this.#watch.close();
  }

  /** What happens in a folder before it is watched is seen by looking again once it is. */
  #scanAndWatch(): FolderScan {
    let scan = scanFolders([this.#folder]);
    // Bounded, since a file system may give a folder another signature each time.
    for (let looks = 1; this.#watch.follow(scan.folders) && looks < MOST_LOOKS; looks++) scan = scanFolders([this.#folder]);
    return scan;
  }

  #publishProblems(): void {
    const above = dirname(resolve(this.#folder));
    const failures = this.#watch.failures.filter(({ path }) => path !== above);
    const unwatched = failures.map(({ path, code }) => ({
      path: "",
      reason: "NotSupported" as const,
      message: `${reasonOf(code)}; until then changes in it are not noticed`,
      severity: "error" as const,
      file: path,
      line: 1,
      column: 1,
    }));
    const problems = [...unwatched, ...this.#content.problems()];
    if (JSON.stringify(problems) === JSON.stringify(this.#problems)) return;
    this.#problems = problems;
    for (const listener of [...this.#listeners]) listener(problems);
  }
}

export interface Manifests {
  readonly kind: "read";
  /** By the keys of `sourceKey`. */
  readonly entries: ReadonlyMap<string, SourceEntry>;
  readonly problems: readonly LocatedViolation[];
}

/** Reads files and folders once, as a FileSource of all of them would. */
export function readManifests(paths: readonly string[], options: ReadOptions): Manifests | FolderFailure {
  for (const path of paths) {
    const failure = failureOf(path);
    if (failure !== undefined && failure.code !== "NotAFolder") return failure;
  }
  const content = new FolderContent({
    kinds: knownKinds(options.kinds, options.check),
    maxFileBytes: options.maxFileBytes ?? DEFAULT_MAX_FILE_BYTES,
    settleMs: 0,
    now: () => performance.now(),
    wallClock: Date.now,
  });
  content.update(scanFolders(paths));
  const entries = new Map<string, SourceEntry>();
  content.flush((_kind, key, entry) => {
    if (entry !== undefined) entries.set(key, entry);
  });
  return { kind: "read", entries, problems: content.problems() };
}

function failureOf(folder: string): FolderFailure | undefined {
  try {
    if (statSync(folder).isDirectory()) return unreadableFailure(folder);
    return { kind: "failed", code: "NotAFolder", message: `${folder} is not a folder: name the folder that holds the manifests` };
  } catch (error) {
    const code = codeOf(error);
    return {
      kind: "failed",
      code: code === "ENOENT" || code === "ENOTDIR" ? "FolderNotFound" : "FolderUnreadable",
      message: `${folder} ${reasonOf(code)}`,
    };
  }
}

function unreadableFailure(folder: string): FolderFailure | undefined {
  const unreadable = scanFolders([folder]).unreadable.find(({ path }) => path === folder);
  return unreadable === undefined
    ? undefined
    : { kind: "failed", code: "FolderUnreadable", message: `${folder} ${reasonOf(unreadable.code)}` };
}
