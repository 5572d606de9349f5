/** What is in a folder: its manifests, the folders to watch, and what could not be looked at. */
import { type BigIntStats, type Dirent, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";

/** Of a file: what is different when its content may be. Of a folder: what is different when another took its place. */
export type FileSignature = string;

export interface WatchedFolder {
  readonly signature: FileSignature;
  /** Names in the folder that matter; undefined when all do. */
  readonly names?: ReadonlySet<string>;
  /**
   * Names that begin with a dot do not matter: no symbolic link was found anywhere that could lead through one. Editors
   * save by way of such names, and then half of the events are about nothing.
   */
  readonly hiddenIgnored?: boolean;
}

export interface ScannedFile {
  readonly path: string;
  readonly signature: FileSignature;
  /** Another one when the file was put in the place of the one before, rather than written over. */
  readonly inode: string;
  /** Bytes. */
  readonly size: number;
  /** Unix milliseconds. */
  readonly modifiedAt: number;
}

export interface Unreadable {
  readonly path: string;
  /** Of the system error, such as EACCES. */
  readonly code: string;
}

export interface FolderScan {
  /** Manifests by path. */
  readonly files: ReadonlyMap<string, ScannedFile>;
  /** Manifests that are there but cannot be looked at, and folders: what is in those is not known. */
  readonly unreadable: readonly Unreadable[];
  /** Folders in which something may change that concerns the content, by path. */
  readonly folders: ReadonlyMap<string, WatchedFolder>;
}

/** Manifests are files whose name ends so, and begins neither with a dot nor with a hash: those are editors' and the system's. */
const MANIFEST_NAME = /^[^.#].*\.(?:ya?ml|json)$/i;

/** Looks through folders and their subfolders, following symbolic links, or at single files whatever their names. */
export function scanFolders(roots: readonly string[]): FolderScan {
  const scan = new Scan();
  for (const root of roots) scan.lookAtRoot(root);
  scan.finish();
  return scan;
}

class Scan implements FolderScan {
  readonly files = new Map<string, ScannedFile>();
  readonly unreadable: Unreadable[] = [];
  readonly folders = new Map<string, WatchedFolder>();
  /** Real paths of the folders that are being looked through: a link to one of them leads in a circle. */
  readonly #within: string[] = [];
  #foundLinks = false;

  lookAtRoot(root: string): void {
    // The folder above tells when the root itself goes, comes, or is replaced.
    const absolute = resolve(root);
    this.#watch(dirname(absolute), basename(absolute));
    this.#lookAt(root);
  }

  /** Something listed that is not there any more has gone since its folder was listed. */
  #lookAt(path: string, isListed = false): void {
    let stats: BigIntStats;
    try {
      stats = statSync(path, { bigint: true });
    } catch (error) {
      this.#miss(path, error, isListed);
      return;
    }
    if (stats.isDirectory()) this.#lookThrough(path, stats, isListed);
    else if (stats.isFile()) {
      this.files.set(path, {
        path,
        inode: `${stats.dev}:${stats.ino}`,
        signature: [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(),
        size: Number(stats.size),
        modifiedAt: Number(stats.mtimeMs),
      });
    } else {
      this.unreadable.push({ path, code: "ENOTFILE" });
    }
  }

  #miss(path: string, error: unknown, isListed: boolean): void {
    const code = codeOf(error);
    if (!isListed || code !== "ENOENT") this.unreadable.push({ path, code });
  }

  #lookThrough(path: string, stats: BigIntStats, isListed: boolean): void {
    let entries: Dirent[];
    let real: string;
    try {
      real = realpathSync(path);
      if (this.#within.includes(real)) return;
      entries = readdirSync(path, { withFileTypes: true });
      this.folders.set(path, { signature: folderSignature(stats) });
    } catch (error) {
      this.#miss(path, error, isListed);
      return;
    }
    this.#within.push(real);
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      const child = join(path, entry.name);
      if (entry.isSymbolicLink()) this.#follow(child, entry.name);
      else if (entry.isDirectory() || MANIFEST_NAME.test(entry.name)) this.#lookAt(child, true);
    }
    this.#within.pop();
  }

  finish(): void {
    if (this.#foundLinks) return;
    for (const [path, folder] of this.folders) this.folders.set(path, { ...folder, hiddenIgnored: folder.names === undefined });
  }

  #follow(link: string, name: string): void {
    this.#foundLinks = true;
    let target: string;
    let stats: BigIntStats;
    try {
      target = realpathSync(link);
      stats = statSync(target, { bigint: true });
    } catch (error) {
      if (MANIFEST_NAME.test(name)) this.unreadable.push({ path: link, code: codeOf(error) });
      return;
    }
    if (!stats.isDirectory() && !MANIFEST_NAME.test(name)) return;
    this.#watch(dirname(target), basename(target));
    this.#lookAt(link);
  }

  #watch(path: string, name: string): void {
    let stats: BigIntStats;
    try {
      stats = statSync(path, { bigint: true });
    } catch {
      // What cannot be looked at cannot be watched; that the way to it is closed is told where it ends.
      return;
    }
    const known = this.folders.get(path);
    if (known !== undefined && known.names === undefined) return;
    this.folders.set(path, { signature: folderSignature(stats), names: new Set([...(known?.names ?? []), name]) });
  }
}

function folderSignature(stats: BigIntStats): FileSignature {
  return [stats.dev, stats.ino, stats.birthtimeNs].join();
}

export function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : "UNKNOWN";
}

/** Whether `path` is `folder`, or in it. */
export function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
