import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  type Stats,
} from "node:fs";
import { join } from "node:path";
import { corrupt, StateError } from "./state-error.ts";
import type { StateRemedies, StateStore } from "./state-store.ts";

const GROUP_AND_OTHERS = 0o077;
const LARGEST_FILE = 64 * 1024;

/**
 * The folder that holds the mesh's keys: mode 0700, every file 0600 and owned by who runs this (or by root). A file
 * appears whole or not at all, whatever dies when: it is written beside its place, synced to disk, then linked or
 * renamed.
 */
export class StateFolder implements StateStore {
  readonly remedies = REMEDIES;
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Opens the folder, creating it where it is missing. With `write`, refuses a folder in which nothing could be changed later. */
  static open(path: string, purpose: "read" | "write"): StateFolder {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw notWritable(path, "cannot be created", cause);
    }
    const stats = attempt(
      () => statSync(path),
      (cause) => notReadable(path, cause),
    );
    if (!stats.isDirectory()) throw notWritable(path, "is not a folder", undefined);
    refuseForeign(path, stats, "chmod 700");
    const folder = new StateFolder(path);
    if (purpose === "write") folder.#probe();
    return folder;
  }

  /** Where a file of this folder is. */
  pathOf(name: string): string {
    return join(this.path, name);
  }

  /** The content of a file, or undefined where there is none. */
  read(name: string): string | undefined {
    const path = this.pathOf(name);
    let file: number;
    try {
      file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (cause) {
      if (errno(cause) === "ENOENT") return undefined;
      throw notReadable(path, cause);
    }
    try {
      const stats = fstatSync(file);
      refuseForeign(path, stats, "chmod 600");
      if (!stats.isFile() || stats.size > LARGEST_FILE) throw corrupt(this, name, "is not a file that Seawall wrote");
      const content = Buffer.alloc(stats.size);
      const length = attempt(
        () => readSync(file, content),
        (cause) => notReadable(path, cause),
      );
      return content.toString("utf8", 0, length);
    } finally {
      closeSync(file);
    }
  }

  /** The content of a file, which is made where there is none. Of several processes that make it at once one wins, and all return its content. */
  readOrCreate(name: string, make: () => string): string {
    const present = this.read(name);
    if (present !== undefined) return present;
    const path = this.pathOf(name);
    const made = make();
    const written = this.#write(name, made);
    try {
      linkSync(written, path);
      this.#sync();
      return made;
    } catch (cause) {
      if (errno(cause) !== "EEXIST") throw notWritable(path, "cannot be created", cause);
    } finally {
      unlinkSync(written);
    }
    const winner = this.read(name);
    if (winner === undefined) throw corrupt(this, name, "came and went while it was being read");
    return winner;
  }

  replace(name: string, content: string): void {
    const path = this.pathOf(name);
    const written = this.#write(name, content);
    try {
      renameSync(written, path);
    } catch (cause) {
      unlinkSync(written);
      throw notWritable(path, "cannot be replaced", cause);
    }
    this.#sync();
  }

  rename(from: string, to: string): void {
    try {
      renameSync(this.pathOf(from), this.pathOf(to));
    } catch (cause) {
      throw notWritable(this.pathOf(to), "cannot be replaced", cause);
    }
    this.#sync();
  }

  remove(name: string): void {
    try {
      unlinkSync(this.pathOf(name));
    } catch (cause) {
      if (errno(cause) === "ENOENT") return;
      throw notWritable(this.pathOf(name), "cannot be removed", cause);
    }
    this.#sync();
  }

  #probe(): void {
    unlinkSync(this.#write("probe", ""));
  }

  /** Writes a file under a name of its own and returns its path. */
  #write(name: string, content: string): string {
    const path = this.pathOf(`.${name}.${randomBytes(8).toString("hex")}.new`);
    try {
      const file = openSync(path, "wx", 0o600);
      try {
        fchmodSync(file, 0o600);
        writeFileSync(file, content);
        fsyncSync(file);
      } catch (cause) {
        unlinkSync(path);
        throw cause;
      } finally {
        closeSync(file);
      }
    } catch (cause) {
      throw notWritable(this.path, "cannot be written to", cause);
    }
    return path;
  }

  /** Makes the folder's own list of files durable. */
  #sync(): void {
    const folder = openSync(this.path, constants.O_RDONLY);
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }
}

const REMEDIES: StateRemedies = {
  restore: "Restore the folder from a backup",
  startOver: "move the folder away: the next start makes a new mesh identity, and every sidecar has to join again",
  removePart: "Remove the file",
};

function refuseForeign(path: string, stats: Stats, remedy: string): void {
  if ((stats.mode & GROUP_AND_OTHERS) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
    throw new StateError(
      "StateExposed",
      path,
      `has mode ${mode}, so that others on this machine can reach private keys`,
      `Run: ${remedy} ${path} (and if it was so for long, move the folder away to get new keys)`,
    );
  }
  const user = process.geteuid?.();
  if (user !== undefined && stats.uid !== user && stats.uid !== 0) {
    throw new StateError(
      "StateOwnedByAnother",
      path,
      `belongs to user ${stats.uid}, who could replace the keys in it, while this runs as user ${user}`,
      `Run as that user, or: chown ${user} ${path}`,
    );
  }
}

function notWritable(path: string, problem: string, cause: unknown): StateError {
  return new StateError(
    "StateNotWritable",
    path,
    `${problem}${because(cause)}`,
    "Choose a state folder on a disk with free space that this user may create and write to",
    cause,
  );
}

function notReadable(path: string, cause: unknown): StateError {
  return new StateError(
    "StateNotReadable",
    path,
    `cannot be read${because(cause)}`,
    "Run as the user that the control plane runs as",
    cause,
  );
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ["EACCES", "permission denied"],
  ["EPERM", "not permitted"],
  ["EROFS", "the file system is read-only"],
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the disk quota is used up"],
  ["ENOTDIR", "a part of the path is a file"],
  ["EEXIST", "a file has its name"],
  ["ELOOP", "it is a symbolic link"],
]);

function because(cause: unknown): string {
  const code = errno(cause);
  return code === undefined ? "" : ` (${REASONS.get(code) ?? code})`;
}

function errno(cause: unknown): string | undefined {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? code : undefined;
}

function attempt<Result>(act: () => Result, failure: (cause: unknown) => StateError): Result {
  try {
    return act();
  } catch (cause) {
    throw failure(cause);
  }
}
