/**
 * Runs the Gateway API's mesh conformance suite against a cluster in which Seawall is installed:
 *
 *     node e2e/conformance/run.ts [--kubeconfig FILE] [--import "COMMAND"] [--report FILE] [--test NAME] [--access Allow|Deny]
 *
 * `--import` is a command that takes an image archive as its last argument and brings it to the cluster's nodes, such as
 * `kind load image-archive`. `--access` is the default access that the mesh has for the time of the run; under Deny AccessPolicies let
 * the suite's own pods call each other. Exits with 0 when the suite passes.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";
import { SEAWALL_VERSION } from "../../tools/images/seawall-images.ts";
import { buildEchoImage } from "./echo-image.ts";
import { CLAIMED, PROFILES } from "./features.ts";
import { gatewayApi } from "./gateway-api.ts";
import { type ConformancePrograms, conformancePrograms } from "./programs.ts";
import { type DefaultAccess, underAccess } from "./under-access.ts";

export interface ConformanceOptions {
  readonly kubeconfig: string;
  /** Command words that bring an image archive, the last argument, to the cluster's nodes; undefined: they have it. */
  readonly importImage?: readonly string[];
  /** Where the report is written. */
  readonly report?: string;
  /** Only this test. */
  readonly test?: string;
  /** The default access of the mesh for the time of the run; as it is, unless given. */
  readonly access?: DefaultAccess;
}

/** Installs the Gateway API's CRDs, brings the suite's image and runs it. Resolves to whether it passed. */
export async function runConformance(options: ConformanceOptions): Promise<boolean> {
  const { kubeconfig } = options;
  const release = gatewayApi();
  const programs = conformancePrograms();
  if (options.importImage !== undefined) {
    const archive = await buildEchoImage(release.echoImage, programs);
    run([...options.importImage, archive]);
  }
  run([clusterProgram("kubectl"), "--kubeconfig", kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", release.crds]);
  const suite = (): Promise<boolean> => runSuite(programs, options);
  return options.access === undefined ? suite() : underAccess(kubeconfig, options.access, suite);
}

async function runSuite(programs: ConformancePrograms, { kubeconfig, report, test }: ConformanceOptions): Promise<boolean> {
  const implementation = ["--organization=seawall", "--project=seawall", "--url=https://seawall.dev", "--contact=@seawall/maintainers"];
  const child = spawn(
    programs.suite,
    [
      ...["-test.v", "-test.timeout=60m", "-test.run=TestConformance"],
      `--conformance-profiles=${PROFILES.join(",")}`,
      `--supported-features=${CLAIMED.join(",")}`,
      "--mesh-name=seawall",
      "--namespace-labels=seawall.dev/injection=enabled",
      ...implementation,
      `--version=${SEAWALL_VERSION}+${commit()}`,
      ...(report === undefined ? [] : [`--report-output=${report}`]),
      ...(test === undefined ? [] : [`--run-test=${test}`]),
    ],
    { env: { ...process.env, KUBECONFIG: kubeconfig }, stdio: ["ignore", "inherit", "inherit"] },
  );
  const [code] = (await once(child, "close")) as [number | null];
  if (report !== undefined && code === 0) stripTimes(report);
  return code === 0;
}

/** The day is enough, and the commit says the rest. */
function stripTimes(report: string): void {
  writeFileSync(
    report,
    readFileSync(report, "utf8").replace(/^date: .*$/m, (line) => line.replace(/T[^"']*/, "")),
  );
}

function commit(): string {
  const head = spawnSync("git", ["rev-parse", "--short=12", "HEAD"], { cwd: import.meta.dirname, encoding: "utf8" });
  return head.status === 0 ? head.stdout.trim() : "unknown";
}

function run([command = "", ...args]: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", 2, 2] });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed: see above`);
}

if (import.meta.main) {
  try {
    const { values } = parseArgs({
      options: {
        kubeconfig: { type: "string" },
        import: { type: "string" },
        report: { type: "string" },
        test: { type: "string" },
        access: { type: "string" },
      },
    });
    const kubeconfig = values.kubeconfig ?? process.env["KUBECONFIG"];
    if (kubeconfig === undefined) throw new Error("which cluster? Give --kubeconfig or set KUBECONFIG");
    const { access } = values;
    if (access !== undefined && access !== "Allow" && access !== "Deny") throw new Error("--access is Allow or Deny, or left out");
    const passed = await runConformance({
      kubeconfig,
      ...(values.import === undefined ? {} : { importImage: values.import.split(/\s+/) }),
      ...(values.report === undefined ? {} : { report: resolve(values.report) }),
      ...(values.test === undefined ? {} : { test: values.test }),
      ...(access === undefined ? {} : { access }),
    });
    process.exitCode = passed ? 0 : 1;
  } catch (error) {
    console.error(`seawall conformance: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
