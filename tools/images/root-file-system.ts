/** The file tree of an image, assembled from this machine's files: nothing is in it that is not listed. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export interface Copied {
  readonly from: string;
  /** Absolute, inside the image. */
  readonly to: string;
  /** Of a folder: whether a path below it, such as `a/b`, is taken. */
  readonly only?: (path: string) => boolean;
}

export interface RootFileSystem {
  /** Programs, each with the shared libraries and the loader that it asks for. */
  readonly programs: readonly Copied[];
  /** Files and folders as they are. */
  readonly copies?: readonly Copied[];
  /** Text files by their path in the image. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Symbolic links: path in the image -> what it points to. */
  readonly links?: Readonly<Record<string, string>>;
}

/** Writes the tree below `folder`, which must not exist yet. Throws with a remedy when a part is not on this machine. */
export function assemble(folder: string, tree: RootFileSystem): void {
  mkdirSync(folder, { recursive: true });
  for (const { from, to } of tree.programs) {
    copy(folder, { from, to });
    chmodSync(join(folder, to), 0o755);
    for (const library of sharedLibraries(from)) copy(folder, { from: library, to: library });
  }
  for (const entry of tree.copies ?? []) copy(folder, entry);
  for (const [path, text] of Object.entries(tree.texts ?? {})) writeFileSync(prepared(folder, path), text);
  for (const [path, target] of Object.entries(tree.links ?? {})) symlinkSync(target, prepared(folder, path));
  // A read-only root still needs the folder over which something writable is mounted.
  mkdirSync(join(folder, "tmp"), { recursive: true });
  chmodSync(join(folder, "tmp"), 0o1777);
}

function copy(folder: string, { from, to, only }: Copied): void {
  if (!existsSync(from)) throw new Error(`${from} is not on this machine, but the image needs it: run make e2e-tools, then npm run build`);
  const source = realpathSync(from);
  cpSync(source, prepared(folder, to), {
    recursive: true,
    verbatimSymlinks: true,
    ...(only ? { filter: (path: string) => path === source || only(relative(source, path)) } : {}),
  });
}

function prepared(folder: string, path: string): string {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  return target;
}

/** What the dynamic loader would load for a program, the loader included; nothing for a static one. */
export function sharedLibraries(program: string): readonly string[] {
  const { status, stdout, stderr } = spawnSync("ldd", [program], { encoding: "utf8" });
  if (status !== 0) {
    if (/not a dynamic executable/.test(stderr + stdout)) return [];
    throw new Error(`ldd ${program}: ${stderr.trim()}`);
  }
  const missing = [...stdout.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1]);
  if (missing.length > 0) throw new Error(`${program} needs ${missing.join(", ")}, which is not on this machine`);
  return [...stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].flatMap((match) => match[1] ?? []);
}
