/** The packages that the published command needs at run time, from the lock file: what npm ci --omit=dev would install. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
}

/** Folders below the repository, such as `node_modules/yaml`. Throws when one is not installed. */
export function productionPackages(repository: string): readonly string[] {
  const lock = JSON.parse(readFileSync(join(repository, "package-lock.json"), "utf8")) as { packages: Record<string, LockedPackage> };
  const wanted = Object.entries(lock.packages).filter(([path, { dev, devOptional }]) => path !== "" && !dev && !devOptional);
  const missing = wanted.filter(([path, { optional }]) => !optional && !existsSync(join(repository, path)));
  if (missing.length > 0) throw new Error(`not installed: ${missing.map(([path]) => path).join(", ")}; run npm ci`);
  return wanted.map(([path]) => path).filter((path) => existsSync(join(repository, path)));
}
