/** The conformance suite and its echo server, built from their Go modules into the tools folder; the first time takes minutes. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toolsFolder } from "../../tools/cache-folder.ts";

export interface ConformancePrograms {
  readonly suite: string;
  readonly echoServer: string;
  readonly echoClient: string;
}

const ECHO = "istio.io/istio/pkg/test/echo/cmd";

/** Builds what is missing or older than its module's folder. */
export function conformancePrograms(environment: NodeJS.ProcessEnv = process.env): ConformancePrograms {
  const output = join(toolsFolder(environment), "conformance");
  mkdirSync(output, { recursive: true });
  return {
    suite: built("suite", "suite", (to) => ["test", "-c", ...FLAGS, "-o", to, "."]),
    echoServer: built("echo", "server", (to) => ["build", ...FLAGS, "-o", to, `${ECHO}/server`]),
    echoClient: built("echo", "client", (to) => ["build", ...FLAGS, "-o", to, `${ECHO}/client`]),
  };

  function built(module: string, name: string, command: (to: string) => readonly string[]): string {
    const folder = join(import.meta.dirname, module);
    const [program, stamp, hash] = [join(output, name), join(output, `${name}.stamp`), sourceHash(folder)];
    if (existsSync(program) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return program;
    console.error(`building the conformance ${name} with go; the first time it takes minutes ...`);
    const { status, error } = spawnSync("go", command(`${program}.new`), {
      cwd: folder,
      env: { ...environment, CGO_ENABLED: "0", GOWORK: "off" },
      stdio: ["ignore", 2, 2],
    });
    if (error) throw new Error("go is missing. Install Go 1.26 or newer (https://go.dev/dl), then try again.", { cause: error });
    if (status !== 0) throw new Error(`the conformance ${name} does not build: see above`);
    renameSync(`${program}.new`, program);
    writeFileSync(stamp, hash);
    return program;
  }
}

const FLAGS = ["-mod=readonly", "-trimpath", "-ldflags=-s -w"];

function sourceHash(folder: string): string {
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum", "conformance_test.go"]) {
    if (existsSync(join(folder, name))) hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest("hex");
}
