/** Builds what is published into dist/: JavaScript of the command and all that it imports, the generated messages, the example shop. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const repository = join(import.meta.dirname, "..");
const output = join(repository, "dist");

rmSync(output, { recursive: true, force: true });
const compiled = spawnSync(
  process.execPath,
  [join(repository, "node_modules", "typescript", "bin", "tsc"), "--project", "tsconfig.build.json"],
  {
    cwd: repository,
    stdio: "inherit",
  },
);
if (compiled.status !== 0) process.exit(compiled.status ?? 1);
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
console.error(`built ${output}`);
