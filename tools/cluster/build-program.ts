/** Builds programs of one Go module into the tools folder. The Go command finds modules on whatever proxy the machine is set up for. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { toolsFolder } from "../cache-folder.ts";
import { CLUSTER_MODULES } from "../versions.ts";
import type { BuiltProgram, ClusterModule } from "./programs.ts";

/** Where a program is, or will be once it was built. */
export function builtPath(program: BuiltProgram, environment: NodeJS.ProcessEnv = process.env): string {
  return join(moduleOutput(program.module, environment), program.name);
}

/** Whether the program in the tools folder is what the module's folder now says. */
export function isBuilt(program: BuiltProgram, environment: NodeJS.ProcessEnv = process.env): boolean {
  const path = builtPath(program, environment);
  const stamp = `${path}.stamp`;
  return existsSync(path) && existsSync(stamp) && readFileSync(stamp, "utf8") === sourceHash(program.module);
}

/** Builds programs that belong to one module, all at once: what they share is compiled once. Throws with a remedy. */
export async function build(programs: readonly BuiltProgram[], environment: NodeJS.ProcessEnv = process.env): Promise<void> {
  const module = programs[0]?.module;
  if (module === undefined) return;
  const output = moduleOutput(module, environment);
  mkdirSync(output, { recursive: true });
  const work = mkdtempSync(join(output, "build-"));
  const names = programs.map(({ name }) => name).join(", ");
  const { version } = CLUSTER_MODULES[module];
  try {
    say(`building ${names} (${module} ${version}) with go; the first time it takes minutes ...`);
    await goBuild(module, work, programs, environment);
    for (const { name } of programs) {
      renameSync(join(work, name), join(output, name));
      writeFileSync(join(output, `${name}.stamp`), sourceHash(module));
    }
    say(`${names}: built in ${output}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function moduleOutput(module: ClusterModule, environment: NodeJS.ProcessEnv): string {
  return join(toolsFolder(environment), `${module}-${CLUSTER_MODULES[module].version}`);
}

function moduleFolder(module: ClusterModule): string {
  return join(import.meta.dirname, module);
}

function sourceHash(module: ClusterModule): string {
  const folder = moduleFolder(module);
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).sort())
    hash
      .update(name)
      .update("\0")
      .update(readFileSync(join(folder, name)));
  return hash.digest("hex");
}

/** A module's programs learn their version from the linker; without it kubectl and Helm take the server for version 0. */
function linkerFlags(module: ClusterModule): string {
  const { version } = CLUSTER_MODULES[module];
  const [major = "", minor = ""] = version.split(".");
  const kubernetes = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((path) => [
    ...["-X", `${path}.gitVersion=v${version}`, "-X", `${path}.gitMajor=${major}`, "-X", `${path}.gitMinor=${minor}`],
  ]);
  const stated: Record<ClusterModule, readonly string[]> = {
    kubernetes,
    etcd: [],
    helm: ["-X", `helm.sh/helm/v3/internal/version.version=v${version}`],
    coredns: [],
  };
  return ["-s", "-w", ...stated[module]].join(" ");
}

async function goBuild(
  module: ClusterModule,
  output: string,
  programs: readonly BuiltProgram[],
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const packages = programs.map((program) => program.package);
  const child = spawn(
    "go",
    // A separator at the end makes `-o` a folder, also for a single program.
    ["build", "-v", "-mod=readonly", "-trimpath", "-ldflags", linkerFlags(module), "-o", `${output}/`, ...packages],
    { cwd: moduleFolder(module), env: { ...environment, CGO_ENABLED: "0", GOWORK: "off" }, stdio: ["ignore", "ignore", "pipe"] },
  );
  const missing = new Promise<never>((_, reject) => child.once("error", reject));
  const complaints: string[] = [];
  let compiled = 0;
  let downloaded = 0;
  const progress = setInterval(() => say(`${module}: ${downloaded} modules fetched, ${compiled} packages compiled ...`), 20_000);
  try {
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (/^[\w./-]+$/.test(line)) compiled += 1;
      else if (line.startsWith("go: downloading")) downloaded += 1;
      else complaints.push(line);
    });
    const [code] = (await Promise.race([once(child, "close"), missing])) as [number | null];
    if (code !== 0) throw new Error(`go build in tools/cluster/${module} failed:\n${complaints.slice(-20).join("\n")}`);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new Error("go is missing. Install Go 1.26 or newer (https://go.dev/dl), then try again.", { cause: error });
    }
    throw error;
  } finally {
    clearInterval(progress);
  }
}

function say(text: string): void {
  console.error(text);
}
