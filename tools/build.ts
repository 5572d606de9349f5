/**
 * Builds what is published: JavaScript of the command and all that it imports, the generated messages, the example shop.
 * `node tools/build.ts` writes it into dist/.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const repository = join(import.meta.dirname, "..");

/** Replaces the folder `output`; the compiler's complaints go to stderr. Throws where the sources do not compile. */
export function buildInto(output: string): void {
  rmSync(output, { recursive: true, force: true });
  const compiler = join(repository, "node_modules", "typescript", "bin", "tsc");
  const { status } = spawnSync(process.execPath, [compiler, "--project", "tsconfig.build.json", "--outDir", output], {
    cwd: repository,
    stdio: ["ignore", 2, 2],
  });
  cpSync(join(repository, "xds-server", "gen"), join(output, "xds-server", "gen"), {
    recursive: true,
    filter: (path) => !path.endsWith(".d.ts") && !path.endsWith(".stamp"),
  });
  cpSync(join(repository, "examples", "shop", "manifests"), join(output, "examples", "shop", "manifests"), { recursive: true });
  const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { name: string; version: string; type: string };
  writeFileSync(
    join(output, "package.json"),
    `${JSON.stringify({ name: manifest.name, version: manifest.version, type: manifest.type, private: true })}\n`,
  );
  chmodSync(join(output, "cli", "seawall.js"), 0o755);
  if (status !== 0) throw new Error("the sources do not compile: see above");
}

if (import.meta.main) {
  const output = join(repository, "dist");
  try {
    buildInto(output);
    console.error(`built ${output}`);
  } catch (error) {
    console.error(`seawall build: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
