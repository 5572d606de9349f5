import { hash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JwksStore } from "./jwks-source.ts";

/**
 * A file for each URI in a folder that only this user may write to: who can write there chooses whose tokens are
 * accepted. A set that cannot be read is one that was never stored; `onFailure` is told what could not be written.
 */
export function jwksFileStore(folder: string, onFailure: (failure: unknown) => void): JwksStore {
  const pathOf = (uri: string) => join(folder, `${hash("sha256", uri)}.json`);
  return {
    read(uri) {
      try {
        const stored = JSON.parse(readFileSync(pathOf(uri), "utf8")) as unknown;
        return isStored(stored) && stored.uri === uri ? { keys: stored.keys, goodAt: stored.goodAt } : undefined;
      } catch {
        return undefined;
      }
    },
    write(uri, keys, goodAt) {
      const path = pathOf(uri);
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        writeFileSync(`${path}.new`, JSON.stringify({ uri, keys, goodAt }), { mode: 0o600 });
        renameSync(`${path}.new`, path);
      } catch (failure) {
        onFailure(failure);
      }
    },
  };
}

function isStored(value: unknown): value is { readonly uri: string; readonly keys: string; readonly goodAt: number } {
  if (typeof value !== "object" || value === null) return false;
  const { uri, keys, goodAt } = value as Readonly<Record<string, unknown>>;
  return typeof uri === "string" && typeof keys === "string" && typeof goodAt === "number";
}
