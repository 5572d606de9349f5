/**
 * Runs the Gateway API's mesh conformance suite against a cluster in which Seawall is installed:
 *
 *     node e2e/conformance/run.ts [--kubeconfig FILE] [--import "COMMAND"] [--report FILE] [--test NAME] [--access Allow|Deny]
 *
 * `--import` is a command that takes an image archive as its last argument and brings it to the cluster's nodes, such as
 * `kind load image-archive`. `--access` is the default access that the mesh has for the time of the run; under Deny AccessPolicies let
 * the suite's own pods call each other. Exits with 0 when the suite passes.
 */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ClusterCommands } from "../cluster/cluster.ts";
import { runConformance } from "./suite-run.ts";

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
  const { access, test, report, import: importing } = values;
  const kubeconfig = values.kubeconfig ?? process.env["KUBECONFIG"];
  if (kubeconfig === undefined) throw new Error("which cluster? Give --kubeconfig or set KUBECONFIG");
  if (access !== undefined && access !== "Allow" && access !== "Deny") throw new Error("--access is Allow or Deny, or left out");
  const { passed, passing, failing } = await runConformance({
    cluster: new ClusterCommands([], resolve(kubeconfig)),
    onOutput: (text) => process.stdout.write(text),
    ...(importing === undefined ? {} : { importImage: (archive: string) => importBy(importing.split(/\s+/), archive) }),
    ...(report === undefined ? {} : { report: resolve(report) }),
    ...(test === undefined ? {} : { test }),
    ...(access === undefined ? {} : { access }),
  });
  console.error(`${passing.length} passed, ${failing.length} failed${failing.length === 0 ? "" : `: ${failing.join(", ")}`}`);
  process.exitCode = passed ? 0 : 1;
} catch (error) {
  console.error(`seawall conformance: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

function importBy([command = "", ...args]: readonly string[], archive: string): Promise<void> {
  const { status, error } = spawnSync(command, [...args, archive], { stdio: ["ignore", 2, 2] });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ${archive} failed: see above`);
  return Promise.resolve();
}
