/**
 * Makes sure that the programs of a real cluster are on this machine: `node tools/cluster/fetch-cluster-tools.ts [SET...]`
 * with the sets `api-server`, `chart` and `node` (all that there is, the default). Prints where each program is.
 *
 * A program is taken, first found first, from KUBEBUILDER_ASSETS; from PATH, where it is of the pinned minor version; from the
 * tools folder (SEAWALL_TOOLS), into which it is built from Go modules when it is missing.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { CLUSTER_MODULES } from "../versions.ts";
import { build, builtPath, isBuilt } from "./build-program.ts";
import { BUILT_PROGRAMS, type BuiltProgram, PACKAGED_PROGRAMS, TOOL_SETS, type ToolSet } from "./programs.ts";

/** Where a program is now, or `undefined`. */
export function findProgram(program: BuiltProgram, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const assets = environment["KUBEBUILDER_ASSETS"];
  if (assets && isExecutable(join(assets, program.name))) return join(assets, program.name);
  if (isBuilt(program, environment)) return builtPath(program, environment);
  return (environment["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, program.name))
    .find((path) => isExecutable(path) && hasPinnedMinor(path, program));
}

/** Where the program of that name is. Throws with the command that brings it when it is not there: nothing is built here. */
export function clusterProgram(name: string, environment: NodeJS.ProcessEnv = process.env): string {
  const program = BUILT_PROGRAMS.find((candidate) => candidate.name === name);
  if (!program) throw new Error(`${name} is none of ${BUILT_PROGRAMS.map((known) => known.name).join(", ")}`);
  const path = findProgram(program, environment);
  if (path === undefined) {
    throw new Error(`${name} ${CLUSTER_MODULES[program.module].version} is not on this machine: run make e2e-tools`);
  }
  return path;
}

/** Brings everything that the sets need; returns where each built program is. Throws with a remedy when it cannot. */
export async function fetchClusterTools(
  sets: readonly ToolSet[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ReadonlyMap<string, string>> {
  if (sets.includes("node")) installPackages();
  const wanted = BUILT_PROGRAMS.filter((program) => program.sets.some((set) => sets.includes(set)));
  const missing = wanted.filter((program) => findProgram(program, environment) === undefined);
  // What an API server needs comes first: it is of use before the rest is there.
  for (const group of [missing.filter(({ sets: of }) => of.includes("api-server")), missing]) {
    for (const module of new Set(group.map((program) => program.module))) {
      await build(
        group.filter((program) => program.module === module && findProgram(program, environment) === undefined),
        environment,
      );
    }
  }
  return new Map(wanted.map((program) => [program.name, clusterProgram(program.name, environment)]));
}

function installPackages(): void {
  const missing = PACKAGED_PROGRAMS.filter(({ file }) => !existsSync(file)).map((program) => program.package);
  if (missing.length === 0) return;
  const install = `apt-get install --yes --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid?.() !== 0) throw new Error(`a node needs programs that are missing here. As root: ${install}`);
  console.error(`installing ${missing.join(", ")} ...`);
  for (const command of ["apt-get update", install]) {
    const [program = "", ...args] = command.split(" ");
    const { error, status } = spawnSync(program, args, {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: ["ignore", "ignore", 2],
    });
    if (error || status !== 0) throw new Error(`"${command}" failed. Install these by hand and try again: ${missing.join(", ")}`);
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function hasPinnedMinor(path: string, program: BuiltProgram): boolean {
  const [major = "", minor = ""] = CLUSTER_MODULES[program.module].version.split(".");
  const asked = ["kubectl", "helm"].includes(program.name) ? ["version", "--client"] : ["--version"];
  const { stdout } = spawnSync(path, asked, { encoding: "utf8", timeout: 10_000 });
  return new RegExp(`\\bv?${major}\\.${minor}\\.\\d+`).test(stdout);
}

function isToolSet(name: string): name is ToolSet {
  return (TOOL_SETS as readonly string[]).includes(name);
}

if (import.meta.main) {
  try {
    const asked = process.argv.slice(2);
    const unknown = asked.filter((name) => !isToolSet(name));
    if (unknown.length > 0) throw new Error(`${unknown.join(", ")}: the sets are ${TOOL_SETS.join(", ")}`);
    const programs = await fetchClusterTools(asked.length === 0 ? ["node"] : asked.filter(isToolSet));
    for (const path of programs.values()) console.log(path);
  } catch (error) {
    console.error(`seawall tools: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
