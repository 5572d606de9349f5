import { homedir } from "node:os";
import { join } from "node:path";

/** The folder, outside the repository, in which fetched programs are kept: `SEAWALL_TOOLS`, else the user's cache folder. */
export function toolsFolder(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment["SEAWALL_TOOLS"]) return environment["SEAWALL_TOOLS"];
  const cache = environment["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "seawall", "tools");
}
