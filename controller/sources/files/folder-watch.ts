import { type FSWatcher, watch } from "node:fs";
import { basename } from "node:path";
import { codeOf, type WatchedFolder } from "./folder-scan.ts";

export interface WatchFailure {
  readonly path: string;
  /** Of the system error, such as ENOSPC when there are too many watches. */
  readonly code: string;
}

/**
 * Watches folders, each for itself: what is watched is what the last scan found, so that a folder which is created,
 * replaced or linked to is never missed. What an event says is not relied upon; it says that it is time to look.
 */
export class FolderWatch {
  readonly #onEvent: () => void;
  readonly #watchers = new Map<string, { folder: WatchedFolder; readonly watcher: FSWatcher }>();
  readonly #failures = new Map<string, WatchFailure>();

  constructor(onEvent: () => void) {
    this.#onEvent = onEvent;
  }

  get failures(): readonly WatchFailure[] {
    return [...this.#failures.values()];
  }

  /** Watches exactly these folders. True when there are new ones: what happened in them before has not been seen. */
  follow(folders: ReadonlyMap<string, WatchedFolder>): boolean {
    for (const [path, watched] of this.#watchers) {
      const folder = folders.get(path);
      if (folder?.signature === watched.folder.signature) watched.folder = folder;
      else this.#close(path);
    }
    this.#failures.clear();
    let opened = false;
    for (const [path, folder] of folders) {
      if (!this.#watchers.has(path)) opened = this.#open(path, folder) || opened;
    }
    return opened;
  }

  close(): void {
    for (const path of [...this.#watchers.keys()]) this.#close(path);
  }

  #open(path: string, folder: WatchedFolder): boolean {
    try {
      const watcher = watch(path, { persistent: true });
      watcher.on("change", (kind, written: string | Buffer | null) => {
        // Not every platform says a name; then any may be meant.
        const name = written === null ? undefined : String(written);
        // A folder that is told of itself is no more what it was; whatever has its path now is watched anew.
        const watched = this.#watchers.get(path)?.folder;
        const ofItself = kind === "rename" && name === basename(path);
        if (ofItself) this.#close(path);
        if (ofItself || name === undefined || watched === undefined || matters(name, watched)) this.#onEvent();
      });
      watcher.on("error", () => {
        this.#close(path);
        this.#onEvent();
      });
      this.#watchers.set(path, { folder, watcher });
      return true;
    } catch (error) {
      this.#failures.set(path, { path, code: codeOf(error) });
      return false;
    }
  }

  #close(path: string): void {
    this.#watchers.get(path)?.watcher.close();
    this.#watchers.delete(path);
  }
}

function matters(name: string, { names, hiddenIgnored = false }: WatchedFolder): boolean {
  if (names !== undefined) return names.has(name);
  return !(hiddenIgnored && name.startsWith("."));
}
