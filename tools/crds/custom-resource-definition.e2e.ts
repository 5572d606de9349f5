/** The definitions on a real API server: what kubectl shows of them, and what the server refuses without any control plane. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { SEAWALL_API_VERSION } from "../../crds/core/object.ts";
import { KINDS } from "../../crds/kinds.ts";
import { type ApiServer, startApiServer } from "../../e2e/cluster/api-server.ts";
import { clusterProgram } from "../cluster/fetch-cluster-tools.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const DEFINITIONS = join(ROOT, "helm", "files", "crds");
const OURS = KINDS.filter((kind) => kind.apiVersion === SEAWALL_API_VERSION);

let server: ApiServer;

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function kubectl(args: readonly string[], input?: object): Ran {
  return spawnSync(clusterProgram("kubectl"), ["--kubeconfig", server.kubeconfig, ...args], {
    encoding: "utf8",
    ...(input === undefined ? {} : { input: stringify(input) }),
  });
}

beforeAll(async () => {
  server = await startApiServer();
  expect(kubectl(["apply", "--server-side", "-f", DEFINITIONS]).stderr).toBe("");
  expect(kubectl(["wait", "--for=condition=Established", "--timeout=120s", "-f", DEFINITIONS]).status).toBe(0);
  for (const namespace of ["shop", "payments"]) kubectl(["create", "namespace", namespace]);
});
afterAll(() => server.stop());

interface Written {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: object;
  readonly spec: object;
}

/** The objects of our kinds in a folder of YAML. */
function objectsIn(folder: string): readonly (readonly [string, Written])[] {
  return readdirSync(folder).flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), "utf8"))
      .map((document) => document.toJS() as Written | null)
      .filter((object) => object?.apiVersion === SEAWALL_API_VERSION)
      .map((object) => [`${file} ${object?.kind ?? ""}`, object as Written] as const),
  );
}

const EXAMPLES = [
  ...readdirSync(join(ROOT, "crds"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && readdirSync(join(ROOT, "crds", entry.name)).includes("examples"))
    .flatMap(({ name }) => objectsIn(join(ROOT, "crds", name, "examples"))),
  ...objectsIn(join(ROOT, "examples", "shop", "manifests")),
];

describe("what people see of a kind", () => {
  it.each(OURS.map((kind) => [kind.plural, kind] as const))("explains %s", (plural, kind) => {
    const { stdout } = kubectl(["explain", `${plural}.spec`]);
    expect(stdout.toLowerCase()).toContain(kind.question.toLowerCase().slice(0, 40));
    expect(stdout).not.toContain("<no description>");
  });

  it("explains fields however deep they are", () => {
    const { stdout } = kubectl(["explain", "accesspolicy.spec.rules.from.jwt.scopes"]);
    expect(stdout).toContain("All of these scopes");
  });
});

describe("what the API server takes", () => {
  it.each(EXAMPLES)("is the example %s", (_name, object) => {
    expect(kubectl(["create", "--dry-run=server", "-f", "-"], object)).toMatchObject({ status: 0, stderr: "" });
  });

  it("has an example of every kind", () => {
    expect(new Set(EXAMPLES.map(([, { kind }]) => kind))).toEqual(new Set(OURS.map(({ kind }) => kind)));
  });
});

const TARGET = { targetRefs: [{ kind: "Namespace" }] };
const written = (kind: string, spec: object, name = "a"): Written => ({
  apiVersion: SEAWALL_API_VERSION,
  kind,
  metadata: kind === "MeshConfig" || kind.startsWith("Cluster") ? { name } : { name, namespace: "shop" },
  spec,
});

describe("what the API server refuses by itself", () => {
  it.each([
    ["a field that nobody knows", written("AccessPolicy", { ...TARGET, action: "Allow", rule: [] }), 'unknown field "spec.rule"'],
    ["a value that nobody knows", written("AccessPolicy", { ...TARGET, action: "allow" }), 'supported values: "Allow", "Deny"'],
    ["no target", written("AccessPolicy", { action: "Allow" }), "say what the policy protects"],
    [
      "two ways to say the target",
      written("AccessPolicy", { ...TARGET, targetSelectors: [{ kind: "Pod" }], action: "Allow" }),
      "say what the policy protects: exactly one",
    ],
    ["a Service without a name", written("MutualTLSPolicy", { targetRefs: [{ kind: "Service" }], mode: "Strict" }), "name the Service"],
    ["an empty list", written("AccessPolicy", { ...TARGET, action: "Allow", rules: [{ name: "a", to: [] }] }), "at least 1 items"],
    ["a Deny that says nothing", written("AccessPolicy", { ...TARGET, action: "Deny" }), "a Deny policy without rules"],
    ["two rules of one name", written("ClusterAccessPolicy", { action: "Deny", rules: [{ name: "a" }, { name: "a" }] }), "Duplicate value"],
    ["a name that logs could not show", written("AccessPolicy", { ...TARGET, action: "Deny", rules: [{ name: "A/b" }] }), "lower-case"],
    ["a second MeshConfig", written("MeshConfig", {}, "other"), "its name is mesh"],
    ["a mutual TLS policy that says nothing", written("MutualTLSPolicy", TARGET), "says nothing"],
    [
      "a window that is no duration",
      written("RateLimitPolicy", { ...TARGET, limits: [{ name: "a", requests: 1, window: "minute" }] }),
      "is not a duration",
    ],
    ["a proof of two kinds", written("AuthenticationPolicy", { ...TARGET, accept: [{}] }), "at least 1 properties"],
  ])("%s", (_what, object, message) => {
    const { status, stderr } = kubectl(["create", "--dry-run=server", "-f", "-"], object);
    expect(stderr).toContain(message);
    expect(status).not.toBe(0);
  });

  it("another trust domain", () => {
    const config = (trustDomain: string): Written => written("MeshConfig", { trustDomain }, "mesh");
    kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], config("a.example"));
    const { stdout } = kubectl(["get", "meshconfig", "mesh", "-o", "jsonpath={.spec.trustDomain}"]);
    expect(kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], config(`other.${stdout}`)).stderr).toContain(
      "trustDomain cannot be changed",
    );
  });
});

describe("a policy that is stored", () => {
  it("gives columns that answer, for all kinds at once", () => {
    for (const [, object] of EXAMPLES) if (object.kind === "AccessPolicy") kubectl(["apply", "-f", "-"], object);
    const { stdout } = kubectl(["get", "seawall", "-A"]);
    expect(stdout).toMatch(/NAME +TARGET +OF +ACTION +ENFORCEMENT +ACCEPTED +PROGRAMMED +AGE/);
    expect(stdout).toMatch(/accesspolicy\S+ +Service +orders +Allow +Enforce/);
  });

  it("has a status that is written apart from its spec, as GEP-713 has it", () => {
    kubectl(["apply", "-f", "-"], written("AccessPolicy", { ...TARGET, action: "Allow" }, "with-status"));
    const condition = {
      type: "Programmed",
      status: "True",
      reason: "Programmed",
      message: "2 of 2 sidecars",
      lastTransitionTime: "2026-01-01T00:00:00Z",
      observedGeneration: 1,
    };
    const ancestorRef = { kind: "Namespace", name: "shop" };
    const status = { conditions: [condition], ancestors: [{ ancestorRef, controllerName: "seawall.dev/mesh", conditions: [condition] }] };
    const patched = kubectl([
      "patch",
      "ap",
      "-n",
      "shop",
      "with-status",
      "--subresource=status",
      "--type=merge",
      "-p",
      JSON.stringify({ status }),
    ]);
    expect(patched).toMatchObject({ status: 0, stderr: "" });
    expect(kubectl(["wait", "-n", "shop", "ap/with-status", "--for=condition=Programmed", "--timeout=120s"]).status).toBe(0);
    expect(kubectl(["get", "ap", "-n", "shop", "with-status"]).stdout).toMatch(/with-status .* True/);
  });
});
