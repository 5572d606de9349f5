import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { readManifests } from "../../controller/sources/files/file-source.ts";
import type { LocatedViolation } from "../../controller/sources/files/located-violation.ts";
import type { SourceEntry } from "../../controller/model/source-entry.ts";
import { KINDS } from "../../crds/kinds.ts";
import { CommandFailure } from "../command-failure.ts";
import type { Terminal } from "../terminal.ts";

/** What files and folders say, read as the control plane reads its folder. */
export interface ReadManifests {
  /** By `<Kind>/<namespace>/<name>`. */
  readonly entries: ReadonlyMap<string, SourceEntry>;
  /** All mistakes and warnings by place. */
  readonly problems: readonly LocatedViolation[];
}

/** What stands for standard input among file names. */
export const STANDARD_INPUT = "-";
const SHOWN_INPUT = "(input)";

/** Reads what `-f` names: files, folders, `-` for standard input. Throws CommandFailure when one cannot be read at all. */
export async function readNamedManifests(paths: readonly string[], terminal: Terminal): Promise<ReadManifests> {
  const folder = mkdtempSync(join(tmpdir(), "seawall-input-"));
  const input = join(folder, "input.yaml");
  try {
    if (paths.includes(STANDARD_INPUT)) writeFileSync(input, await text(terminal.input), { mode: 0o600 });
    const read = readManifests(
      paths.map((path) => (path === STANDARD_INPUT ? input : path)),
      { kinds: KINDS },
    );
    if (read.kind === "failed") throw CommandFailure.usage(read.message);
    const shown = (file: string): string => (file === input ? SHOWN_INPUT : file);
    const problems = read.problems.map((problem) => ({ ...problem, file: shown(problem.file) }));
    const entries = [...read.entries].map(([key, entry]) => {
      return [key, { ...entry, origin: { ...entry.origin, file: shown(entry.origin.file) } }] as const;
    });
    return { entries: new Map(entries), problems };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
