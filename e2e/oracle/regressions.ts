/** Worlds and requests about which Envoy and the plain semantics once disagreed, as small as they could be made: a file each. */
import { hash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OracleWorld } from "./world.ts";
import type { OracleCall } from "./world-request.ts";

export interface Regression {
  /** What they disagreed about. */
  readonly title: string;
  readonly world: OracleWorld;
  readonly calls: readonly OracleCall[];
}

const FOLDER = join(import.meta.dirname, "regressions");

export function regressions(): readonly (Regression & { readonly file: string })[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => ({ file, ...(JSON.parse(readFileSync(join(FOLDER, file), "utf8")) as Regression) }));
}

/** Keeps a new one and returns its path. It is replayed by every run from then on. */
export function keepRegression(regression: Regression): string {
  const text = `${JSON.stringify(regression, undefined, 2)}\n`;
  mkdirSync(FOLDER, { recursive: true });
  const path = join(FOLDER, `found-${hash("sha256", text).slice(0, 8)}.json`);
  writeFileSync(path, text);
  return path;
}
