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
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
  };
  readonly [field: string]: unknown;
}

/** What the chart becomes with these `--set` values. Throws helm's words when it does not become anything. */
export function render(...values: readonly string[]): readonly Manifest[] {
  return rendered(values.flatMap((value) => ["--set", value]));
}

/** The same with values as a user's file has them, on a cluster of a version. */
export function renderWith(values: object, kubernetes = KUBERNETES): readonly Manifest[] {
  return rendered(["--values", "-"], { input: JSON.stringify(values), kubernetes });
}

// A helm that was built without its release's version takes clusters to be ancient.
const KUBERNETES = "1.35.4";

function rendered(more: readonly string[], { input = "", kubernetes = KUBERNETES } = {}): readonly Manifest[] {
  const { status, output, messages } = run("helm", ["template", "seawall", CHART, "--kube-version", kubernetes, ...more], input);
  if (status !== 0) throw new Error(messages);
  return parseAllDocuments(output).flatMap((document) => {
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

export function named(manifests: readonly Manifest[], kind: string, name = "seawall"): Manifest | undefined {
  return manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
}

/** What stands at a path such as `spec.ports.0.name`; undefined where there is nothing. */
export function at(object: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (found, key) => (typeof found === "object" && found !== null ? (found as Record<string, unknown>)[key] : undefined),
      object,
    );
}
