import { Cluster } from "../cluster/cluster.ts";
import type { ClusterOptions } from "../cluster/cluster-options.ts";
import { reachableReplicas } from "../control-planes.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { type OutputFormat, print } from "../output-format.ts";
import { packageVersion } from "../package-version.ts";
import type { Terminal } from "../terminal.ts";
import { certificatesCheck } from "./certificates.ts";
import { controlPlaneCheck, leaderCheck, readinessCheck } from "./control-plane.ts";
import { type Check, type Finding, type FindingState, type Installation, perform } from "./finding.ts";
import { kindsCheck } from "./kinds.ts";
import { policiesCheck } from "./policies.ts";
import { routesCheck } from "./routes.ts";
import { sidecarsCheck } from "./sidecars.ts";
import { trustCheck } from "./trust.ts";
import { webhooksCheck } from "./webhooks.ts";
import { workloadsCheck } from "./workloads.ts";
import { wouldBeRefusalsCheck } from "./would-be-refusals.ts";

export interface CheckOptions extends ClusterOptions {
  /** Only what the chart installs, not who uses it. */
  readonly installation: boolean;
  /** Milliseconds. */
  readonly since: number;
  readonly output: OutputFormat;
}

const OF_THE_INSTALLATION: readonly Check[] = [
  controlPlaneCheck,
  leaderCheck,
  readinessCheck,
  kindsCheck,
  webhooksCheck,
  certificatesCheck,
];
const OF_THE_MESH: readonly Check[] = [workloadsCheck, trustCheck, sidecarsCheck, policiesCheck, routesCheck, wouldBeRefusalsCheck];

/** Prints what is well and what is not, with what to do. Returns 1 when something does not work. */
export async function check(options: CheckOptions, terminal: Terminal): Promise<ExitCode> {
  await using cluster = await Cluster.connect(options, terminal);
  const installation = {
    cluster,
    ...(await reachableReplicas(cluster)),
    version: packageVersion(),
    now: Date.now(),
    sinceMs: options.since,
  };
  const checks = options.installation ? OF_THE_INSTALLATION : [...OF_THE_INSTALLATION, ...OF_THE_MESH];
  const found: Finding[] = [];
  for (const one of checks) {
    const findings = await perform(one, installation);
    found.push(...findings);
    if (options.output === "table") for (const finding of findings) terminal.output.write(describe(finding));
  }
  if (options.output !== "table")
    await print(terminal, options.output, { columns: [], rows: [], data: { ok: !found.some(isProblem), findings: found } });
  else terminal.output.write(`\n${summary(found)}\n`);
  return found.some(isProblem) ? EXIT.no : EXIT.ok;
}

/** Every finding, for a report. */
export async function lookAtEverything(installation: Installation): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const one of [...OF_THE_INSTALLATION, ...OF_THE_MESH]) found.push(...(await perform(one, installation)));
  return found;
}

const MARKS: Readonly<Record<FindingState, string>> = { ok: "✓", warning: "!", problem: "✗", unknown: "?" };
const AREA_WIDTH = 15;

function describe({ area, state, message, next }: Finding): string {
  const first = `${MARKS[state]} ${area.padEnd(AREA_WIDTH)}${message}\n`;
  return next === undefined ? first : `${first}${" ".repeat(AREA_WIDTH + 2)}-> ${next}\n`;
}

function summary(found: readonly Finding[]): string {
  const amount = (state: FindingState): number => found.filter((finding) => finding.state === state).length;
  const problems = amount("problem");
  const rest = [
    amount("warning") === 0 ? [] : [`${amount("warning")} to know about (!)`],
    amount("unknown") === 0 ? [] : [`${amount("unknown")} not looked at (?)`],
  ].flat();
  const first = problems === 0 ? "Nothing wrong was seen" : problems === 1 ? "1 problem (✗)" : `${problems} problems (✗)`;
  return `${[first, ...rest].join(", ")}.`;
}

function isProblem({ state }: Finding): boolean {
  return state === "problem";
}
