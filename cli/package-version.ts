import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The version of this installation, from the package.json above this file (which is elsewhere in sources and in what is published). */
export function packageVersion(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) {
    const above = dirname(folder);
    if (above === folder) return "unknown";
    folder = above;
  }
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version?: string };
  return version ?? "unknown";
}
