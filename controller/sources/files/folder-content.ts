/**
 * What the manifests of a folder say, from one look at the folder to the next.
 *
 * A file that is written in place is seen empty and then half, and an editor that saves by renaming leaves a moment
 * without the file. Such a moment must neither lift a Deny nor refuse what is allowed. So a version that says less than
 * the one before (gone, shorter, broken, without an object that was there) and that may be a part of something is
 * believed only when it has stood for a while; every other version is believed at once.
 */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { codeOf, type FolderScan, isIn, type ScannedFile, type Unreadable } from "./folder-scan.ts";
import type { KnownKind } from "../known-kind.ts";
import type { LocatedViolation } from "./located-violation.ts";
import { type Manifest, ManifestReader, NO_MANIFEST, unreadableManifest } from "./manifest.ts";
import { type EntrySink, ObjectTable } from "./object-table.ts";

export interface ContentOptions {
  readonly kinds: ReadonlyMap<string, KnownKind>;
  /** The largest file that is read, in bytes. */
  readonly maxFileBytes: number;
  /** How long a version that says less than the one before must stand to be believed, in milliseconds. */
  readonly settleMs: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Unix milliseconds, as the file system stamps files. */
  readonly wallClock: () => number;
}

/** A version of a file; equal tokens mean equal versions. */
interface Version {
  readonly token: string;
  /** Of the file, when it could be read. */
  readonly inode: string | undefined;
  readonly manifest: Manifest;
}

interface FileMemory {
  readonly reader: ManifestReader;
  /** Of the last look; undefined when the content may have changed without it changing. */
  signature: string | undefined;
  token: string | undefined;
  inode: string | undefined;
  /** A version that is not believed yet, and since when it stands. */
  waiting: (Version & { readonly since: number }) | undefined;
}

/** Kernels stamp files by a coarse clock: two changes this near in time, in milliseconds, may leave the same stamp. */
const STAMP_GRANULARITY_MS = 50;

/** Bytes. */
const SMALLEST_WRITE_BUFFER = 512;

const GONE: Version = { token: "gone", inode: undefined, manifest: NO_MANIFEST };

export class FolderContent {
  readonly #options: ContentOptions;
  readonly #files = new Map<string, FileMemory>();
  readonly #table = new ObjectTable();
  #unreadable: readonly LocatedViolation[] = [];

  constructor(options: ContentOptions) {
    this.#options = options;
  }

  /** Takes over what a scan has found, reading what may have changed since the last. */
  update(scan: FolderScan): void {
    const frozen = scan.unreadable.filter(({ path }) => !this.#isFileOf(path, scan)).map(({ path }) => path);
    const files = scan.unreadable.filter(({ path }) => this.#isFileOf(path, scan));
    this.#unreadable = scan.unreadable.filter(({ path }) => frozen.includes(path)).map(folderProblem);
    for (const file of scan.files.values()) this.#look(file);
    for (const { path, code } of files) this.#judge(path, unreadableVersion(path, code));
    for (const path of this.#files.keys()) {
      if (scan.files.has(path) || files.some((file) => file.path === path)) continue;
      if (frozen.some((folder) => isIn(path, folder))) this.#freeze(path);
      else this.#judge(path, GONE);
    }
  }

  flush(sink: EntrySink): void {
    this.#table.flush(sink);
  }

  problems(): readonly LocatedViolation[] {
    return [...this.#unreadable, ...this.#table.problems()];
  }

  /** Milliseconds until some version will have stood long enough to be believed; undefined when none is waiting. */
  untilNextDecision(): number | undefined {
    const waits = [...this.#files.values()].flatMap(({ waiting }) =>
      waiting === undefined ? [] : [waiting.since + this.#options.settleMs - this.#options.now()],
    );
    return waits.length === 0 ? undefined : Math.max(0, Math.min(...waits));
  }

  /** A path that cannot be looked at: of a manifest that is or was one, or of a folder. */
  #isFileOf(path: string, scan: FolderScan): boolean {
    return this.#files.has(path) || (!scan.folders.has(path) && /\.(?:ya?ml|json)$/i.test(path));
  }

  #look(file: ScannedFile): void {
    const { path, signature, modifiedAt } = file;
    const memory = this.#files.get(path);
    if (memory !== undefined && memory.waiting === undefined && memory.signature === signature) return;
    const now = this.#options.wallClock();
    this.#judge(path, this.#read(file));
    const looked = this.#files.get(path);
    const isOld = now - modifiedAt > STAMP_GRANULARITY_MS;
    if (looked !== undefined) looked.signature = isOld ? signature : undefined;
  }

  #read({ path, size, inode }: ScannedFile): Version {
    const { maxFileBytes } = this.#options;
    if (size > maxFileBytes) return tooLargeVersion(path, size, maxFileBytes);
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch (error) {
      return codeOf(error) === "ENOENT" ? GONE : unreadableVersion(path, codeOf(error));
    }
    if (bytes.length > maxFileBytes) return tooLargeVersion(path, bytes.length, maxFileBytes);
    const token = `content ${hash("sha256", bytes)}`;
    const memory = this.#files.get(path);
    if (memory?.waiting?.token === token) return { ...memory.waiting, inode };
    if (memory?.token === token) return { token, inode, manifest: this.#table.manifest(path) ?? NO_MANIFEST };
    return { token, inode, manifest: this.#remember(path).reader.read(bytes) };
  }

  #judge(path: string, version: Version): void {
    const memory = this.#remember(path);
    if (memory.token === version.token) {
      memory.waiting = undefined;
      memory.inode = version.inode;
      this.#table.confirm(path);
      return;
    }
    const now = this.#options.now();
    const since = memory.waiting?.token === version.token ? memory.waiting.since : now;
    const former = this.#table.manifest(path) ?? NO_MANIFEST;
    const isDoubtful = saysLess(former, version.manifest) && mayBePart(version, memory.inode);
    if (isDoubtful && now - since < this.#options.settleMs) {
      memory.waiting = { ...version, since };
      this.#table.hold(path, version.manifest);
      return;
    }
    memory.waiting = undefined;
    memory.token = version.token;
    memory.inode = version.inode;
    if (version === GONE) {
      this.#table.remove(path);
      this.#files.delete(path);
    } else {
      this.#table.accept(path, version.manifest);
    }
  }

  /** Nothing is known of the file for now: it stays what it was. */
  #freeze(path: string): void {
    const memory = this.#remember(path);
    memory.waiting = undefined;
    memory.signature = undefined;
    this.#table.confirm(path);
  }

  #remember(path: string): FileMemory {
    let memory = this.#files.get(path);
    if (memory === undefined) {
      memory = {
        reader: new ManifestReader(path, this.#options.kinds),
        signature: undefined,
        token: undefined,
        inode: undefined,
        waiting: undefined,
      };
      this.#files.set(path, memory);
    }
    return memory;
  }
}

/**
 * Whether more of a version may be on its way. Of a file that was put in the place of another one only if its size is
 * what buffers come in: one that was renamed into its place is whole, one that is written there arrives by the buffer.
 */
function mayBePart({ inode, manifest }: Version, formerInode: string | undefined): boolean {
  return inode === undefined || inode === formerInode || manifest.size % SMALLEST_WRITE_BUFFER === 0;
}

/** Whether somebody who saw only a part of `former`, or a part of what is coming, could have seen `next`. */
function saysLess(former: Manifest, next: Manifest): boolean {
  if (former.objects.length === 0) return false;
  if (next.hiding.length > 0 || next.size < former.size) return true;
  const nextByKey = new Map(next.objects.map((object) => [object.key, object]));
  return former.objects.some(({ key, content }) => {
    const state = nextByKey.get(key)?.content.state;
    return state === undefined || (content.state === "valid" && state === "broken");
  });
}

function tooLargeVersion(path: string, size: number, limit: number): Version {
  const message = `has ${size} bytes, and at most ${limit} are read: split it, or raise the limit`;
  return { token: `too large ${size}`, inode: undefined, manifest: unreadableManifest(path, size, message) };
}

function unreadableVersion(path: string, code: string): Version {
  return { token: `unreadable ${code}`, inode: undefined, manifest: unreadableManifest(path, 0, reasonOf(code)) };
}

function folderProblem({ path, code }: Unreadable): LocatedViolation {
  const message = `${reasonOf(code)}; what was read here before still stands`;
  return { path: "", reason: "NotFound", message, severity: "error", file: path, line: 1, column: 1 };
}

/** A system error in words, with what to do about it. */
export function reasonOf(code: string): string {
  switch (code) {
    case "ENOENT":
      return "does not exist, or is a symbolic link that leads nowhere: create it, or name another path";
    case "EACCES":
    case "EPERM":
      return "may not be read by this user: change its permissions";
    case "ELOOP":
      return "is a symbolic link that leads in a circle: remove it";
    case "ENOTFILE":
      return "is neither a file nor a folder: remove it";
    case "ENOSPC":
    case "EMFILE":
      return `cannot be watched (${code}): raise fs.inotify.max_user_watches and max_user_instances, or the limit of open files`;
    default:
      return `cannot be read (${code})`;
  }
}
