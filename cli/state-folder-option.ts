import { Option } from "commander";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the mesh keeps its keys when nobody says otherwise: `SEAWALL_STATE_DIR`, else the user's XDG state folder. */
export function defaultStateFolder(environment: Readonly<Record<string, string | undefined>>): string {
  if (environment["SEAWALL_STATE_DIR"]) return environment["SEAWALL_STATE_DIR"];
  return join(environment["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state"), "seawall");
}

export function stateFolderOption(environment: Readonly<Record<string, string | undefined>>): Option {
  return new Option("--state-dir <folder>", "the folder that holds the mesh's keys").default(
    defaultStateFolder(environment),
    "$SEAWALL_STATE_DIR, else ~/.local/state/seawall",
  );
}
