/** The real helm, as a user runs it. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";

export const CHART = join(import.meta.dirname, "..");

export interface Outcome {
  readonly status: number | null;
  readonly output: string;
  readonly messages: string;
}

export function run(program: "helm" | "kubectl", args: readonly string[], input?: string): Outcome {
  const { status, stdout, stderr } = spawnSync(clusterProgram(program), args, { encoding: "utf8", input });
  return { status, output: stdout, messages: stderr };
}

export interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
  };
  readonly [field: string]: unknown;
}

/** What the chart becomes with these `--set` values. Throws helm's words when it does not become anything. */
export function render(...values: readonly string[]): readonly Manifest[] {
  // A helm that was built without its release's version takes clusters to be ancient.
  const args = ["template", "seawall", CHART, "--kube-version", "1.35.4", ...values.flatMap((value) => ["--set", value])];
  const { status, output, messages } = run("helm", args);
  if (status !== 0) throw new Error(messages);
  return parseAllDocuments(output).flatMap((document) => {
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

export function named(manifests: readonly Manifest[], kind: string, name = "seawall"): Manifest | undefined {
  return manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
}
