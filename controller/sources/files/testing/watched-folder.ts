/** The folder of one test, real and watched, with what its file source makes of it. Importing this sets it up before each test. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach } from "@jest/globals";
import { within } from "../../../../e2e/support/eventually.ts";
import type { Change, Source } from "../../../collections/collection.ts";
import { Graph } from "../../../collections/graph.ts";
import type { SourceEntry } from "../../../model/source-entry.ts";
import { FileSource, type FileSourceOptions } from "../file-source.ts";
import { testKinds } from "./kinds.ts";

export const KINDS = ["Guard", "ClusterPace", "Service", "Pod", "Secret"];
/** Longer than any test: what waits to be believed is not believed in it. */
export const FOR_EVER = 3_600_000;

export let folder = "";
export let opened: FileSource[] = [];

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "seawall-files-")), "policies");
  mkdirSync(folder);
});
afterEach(() => {
  for (const source of opened) source.close();
  opened = [];
  rmSync(dirname(folder), { recursive: true });
});

export interface Opened {
  readonly graph: Graph;
  readonly source: FileSource;
  readonly sources: ReadonlyMap<string, Source<string, SourceEntry>>;
  readonly entry: (key: string) => SourceEntry | undefined;
  /** `key state`, in order. */
  readonly states: () => string[];
  /** `file:line path reason`, without the folder. */
  readonly problems: () => string[];
  /** Resolves once the condition holds, looking after every tick and every report of problems. */
  readonly until: (condition: () => boolean) => Promise<void>;
  /** Keys that were published as changed, from now on. */
  readonly published: () => { readonly changes: [key: string, change: Change<SourceEntry>][] };
}

export function open(options: Partial<FileSourceOptions> = {}): Opened {
  const graph = new Graph();
  const sources = new Map(KINDS.map((kind) => [kind, graph.source<string, SourceEntry>(kind)]));
  const opening = FileSource.open({ folder, kinds: testKinds, source: (kind) => sources.get(kind), ...options });
  if (opening.kind === "failed") throw new Error(opening.message);
  const { source } = opening;
  opened.push(source);
  graph.tick();
  const entry = (key: string): SourceEntry | undefined => sources.get(key.slice(0, key.indexOf("/")))?.get(key);
  return {
    graph,
    source,
    sources,
    entry,
    states: () => [...sources.values()].flatMap((one) => [...one.entries()].map(([key, value]) => `${key} ${value.state}`)).sort(),
    problems: () =>
      source.problems.map(
        ({ file, line, path, reason }) => `${file.replace(`${folder}/`, "")}:${line} ${path === "" ? "-" : path} ${reason}`,
      ),
    until: (condition) => {
      const coming = new Promise<void>((resolve) => {
        const look = (): void => {
          if (!condition()) return;
          for (const stop of unsubscribe) stop();
          resolve();
        };
        const lookAfterTick = (): void => {
          graph.tick();
          look();
        };
        // What a problem is about has been staged when it is reported, and is read after the tick.
        const unsubscribe = [graph.onTick(look), source.onProblems(() => setImmediate(lookAfterTick))];
        look();
      });
      const context = (): string =>
        JSON.stringify({ problems: source.problems, sizes: [...sources].map(([kind, { size }]) => [kind, size]) });
      return within(`it holds that ${String(condition)}`, coming, { context });
    },
    published: () => {
      const changes: [string, Change<SourceEntry>][] = [];
      for (const one of sources.values()) one.onChange((changed) => changes.push(...changed));
      return { changes };
    },
  };
}

export function write(name: string, text: string | Buffer): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** As careful editors save: whole, and then put in place. */
export function save(name: string, text: string): void {
  write(`${name}.swp`, text);
  renameSync(join(folder, `${name}.swp`), join(folder, name));
}

export function specOf(entry: SourceEntry | undefined): Readonly<Record<string, unknown>> {
  return entry?.state === "valid" ? (entry.object.spec as Readonly<Record<string, unknown>>) : {};
}

export function requestsOf(entry: SourceEntry | undefined): unknown {
  return specOf(entry)["requests"];
}

export function hasTargets(entry: SourceEntry | undefined): boolean {
  return entry?.state === "invalid" && JSON.stringify(entry.partial).includes("targetRefs");
}
