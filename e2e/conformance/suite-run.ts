/** One run of the Gateway API's conformance suite against a cluster in which Seawall is installed. */
import { once } from "node:events";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import type { Cluster } from "../cluster/cluster.ts";
import { INSTALLED_BY_TESTS } from "../cluster/foreign-cluster.ts";
import { SEAWALL_VERSION } from "../../tools/images/seawall-images.ts";
import { buildEchoImage } from "./echo-image.ts";
import { CLAIMED, NAMESPACES, PROFILES } from "./features.ts";
import { gatewayApi } from "./gateway-api.ts";
import { conformancePrograms } from "./programs.ts";
import { type DefaultAccess, underAccess } from "./under-access.ts";

export interface ConformanceOptions {
  readonly cluster: Pick<Cluster, "kubectl" | "apply" | "start">;
  /** Brings the archive of an image to the cluster's nodes; undefined: they have the suite's. */
  readonly importImage?: (archive: string) => Promise<void>;
  /** Whether kinds of the Gateway API that the cluster has stay as they are; installed are only those of a cluster without. */
  readonly keepKinds?: boolean;
  /** Where the report is written. */
  readonly report?: string;
  /** Only this test. */
  readonly test?: string;
  /** The default access of the mesh for the time of the run; as it is, unless given. */
  readonly access?: DefaultAccess;
  /** Told what the suite says. */
  readonly onOutput?: (text: string) => void;
}

export interface ConformanceResult {
  readonly passed: boolean;
  /** The names of the suite's tests that ran, `MeshBasic` for one. */
  readonly passing: readonly string[];
  readonly failing: readonly string[];
}

/** Installs the Gateway API's CRDs, brings the suite's image and runs it. Throws when it cannot even be started. */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceResult> {
  const { cluster } = options;
  const release = gatewayApi();
  const programs = conformancePrograms();
  await options.importImage?.(await buildEchoImage(release.echoImage, programs));
  if (options.keepKinds === true) await installWhereNone(cluster, release.crds);
  else await cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", release.crds);
  // What a former run left may still be going.
  await cluster.kubectl("delete", "namespace", ...NAMESPACES, "--ignore-not-found", "--timeout=180s");
  const suite = (): Promise<ConformanceResult> => runSuite(programs.suite, options);
  return options.access === undefined ? suite() : underAccess(cluster, options.access, suite);
}

/** Labelled, so that whoever cleans up knows whose they are. */
async function installWhereNone(cluster: Pick<Cluster, "kubectl">, crds: string): Promise<void> {
  const there = await cluster.kubectl("get", "crd", "httproutes.gateway.networking.k8s.io", "--ignore-not-found", "--output=name");
  if (there !== "") return;
  await cluster.kubectl("apply", "--server-side", "-f", crds);
  await cluster.kubectl("label", "-f", crds, `${INSTALLED_BY_TESTS}=true`);
}

async function runSuite(suite: string, { cluster, keepKinds, report, test, onOutput }: ConformanceOptions): Promise<ConformanceResult> {
  const child = cluster.start([
    suite,
    ...["-test.v", "-test.timeout=60m", "-test.run=TestConformance"],
    `--conformance-profiles=${PROFILES.join(",")}`,
    `--supported-features=${CLAIMED.join(",")}`,
    "--mesh-name=seawall",
    "--namespace-labels=seawall.dev/injection=enabled",
    ...["--organization=seawall", "--project=seawall", "--url=https://seawall.dev", "--contact=@seawall/maintainers"],
    `--version=${SEAWALL_VERSION}+${commit()}`,
    ...(keepKinds === true ? ["--allow-crds-mismatch"] : []),
    ...(report === undefined ? [] : [`--report-output=${report}`]),
    ...(test === undefined ? [] : [`--run-test=${test}`]),
  ]);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      onOutput?.(text);
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  if (report !== undefined && code === 0) datedByDay(report);
  const ended = (verdict: string): string[] => {
    return [...said.matchAll(new RegExp(`^ {4}--- ${verdict}: TestConformance/(\\w+) `, "gm"))].flatMap((match) => match[1] ?? []);
  };
  return { passed: code === 0, passing: ended("PASS"), failing: ended("FAIL") };
}

/** The day is enough: the commit says the rest. */
function datedByDay(report: string): void {
  writeFileSync(report, readFileSync(report, "utf8").replace(/^(date: "[^T"]*)T[^"]*"/m, '$1"'));
}

/** Of what is tested: `-dirty` when the folder holds more than the commit, the reports themselves apart. */
function commit(): string {
  const git = (...args: string[]): string => execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--", ":/", ":(exclude,top)docs/conformance");
  return `${git("rev-parse", "--short=12", "HEAD")}${changed === "" ? "" : "-dirty"}`;
}
