/** A release's life on a real API server: what an upgrade keeps, and what is left when it has gone. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiServer, startApiServer } from "../e2e/cluster/api-server.ts";
import { at, CHART, type Manifest, named, type Outcome, render, run } from "./testing/helm.ts";

const KEPT_KIND = "meshconfigs.seawall.dev";
const REPOSITORY = join(import.meta.dirname, "..");
const GUIDE = join(REPOSITORY, "docs", "tasks", "install-on-kubernetes.md");
const SEAWALL = join(REPOSITORY, "cli", "seawall.ts");
const KINDS = readdirSync(join(CHART, "files", "crds"));

const STRICT = {
  apiVersion: "seawall.dev/v1alpha1",
  kind: "MutualTLSPolicy",
  metadata: { name: "strict", namespace: "shop" },
  spec: { targetRefs: [{ kind: "Namespace", name: "shop" }], mode: "Strict" },
};

const DEPLOYMENT = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "app", namespace: "shop" },
  spec: {
    selector: { matchLabels: { app: "app" } },
    template: { metadata: { labels: { app: "app" } }, spec: { containers: [{ name: "app", image: "app" }] } },
  },
};

describe("a release of the chart", () => {
  let server: ApiServer;
  let folder: string;
  beforeAll(async () => {
    server = await startApiServer();
    folder = await mkdtemp(join(tmpdir(), "seawall-chart-"));
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function helm(...args: string[]): Outcome {
    return run("helm", [...args, "--kubeconfig", server.kubeconfig]);
  }
  function kubectl(...args: string[]): Outcome {
    return run("kubectl", ["--kubeconfig", server.kubeconfig, ...args]);
  }
  function object(...args: string[]): Manifest {
    return JSON.parse(kubectl("get", ...args, "-o", "json").output) as Manifest;
  }
  function apply(manifest: object, ...options: string[]): Outcome {
    const args = ["--kubeconfig", server.kubeconfig, "apply", "-f", "-", ...options];
    return run("kubectl", args, JSON.stringify(manifest));
  }
  function image(): unknown {
    return at(object("deployment", "seawall", "-n", "seawall-system"), "spec.template.spec.containers.0.image");
  }
  /** One of the files that the chart gives to the control plane. */
  function config(file: string): unknown {
    const { data } = object("configmap", "seawall-config", "-n", "seawall-system") as unknown as {
      readonly data: Readonly<Record<string, string>>;
    };
    return JSON.parse(data[file] ?? "");
  }
  /** A command of the notes, as a user would type it. */
  function follow(command: string): Outcome {
    const [program = "", ...args] = command.replace("<namespace>", "shop").replace("<chart>", CHART).split(" ");
    // Nothing runs here that a rollout could wait for.
    if (program === "kubectl") return kubectl(...args, ...(command.includes("rollout status") ? ["--watch=false"] : []));
    if (program === "helm") return helm(...args);
    const { status, stdout, stderr } = spawnSync(process.execPath, [SEAWALL, ...args, "--help"], { encoding: "utf8" });
    return { status, output: stdout, messages: stderr };
  }
  /** The chart of a version to come: another tag, a value that there was not, and a field of a kind. */
  async function nextChart(): Promise<string> {
    const chart = join(folder, "next-version");
    await cp(CHART, chart, { recursive: true });
    const edit = async (path: string, from: string, to: string): Promise<void> => {
      const text = await readFile(join(chart, path), "utf8");
      if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
      await writeFile(join(chart, path), text.replace(from, to));
    };
    await edit("values.yaml", "sidecar:\n", "sidecar:\n  coming: { later: by default }\n");
    await edit("values.schema.json", '"concurrency": {', '"coming": { "type": "object" }, "concurrency": {');
    await edit("templates/config.yaml", '"concurrency"', '"later" .Values.sidecar.coming.later\n  "concurrency"');
    await edit(
      "files/crds/seawall.dev_accesspolicies.yaml",
      "                action:\n",
      "                note: { type: string, description: Brought by the next version. }\n                action:\n",
    );
    const packed = helm("package", chart, "--version", "0.2.0", "--app-version", "0.2.0", "--destination", folder);
    expect(packed).toMatchObject({ status: 0 });
    return join(folder, "seawall-0.2.0.tgz");
  }
  /** What one webhook's `caBundle` holds. */
  function caBundle(kind: string): string {
    return kubectl("get", kind, "seawall", "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}").output;
  }

  it("installs from nothing with one command, in seawall-system", () => {
    const { status, output, messages } = helm("install", "seawall", CHART);
    expect([status, messages]).toEqual([0, ""]);
    expect(output).toContain("kubectl label namespace <namespace> seawall.dev/injection=enabled");
    expect(object("deployment", "seawall", "-n", "seawall-system").metadata.name).toBe("seawall");
    const established = kubectl("wait", "--for=condition=Established", "crd", "-l", "app.kubernetes.io/name=seawall", "--timeout=120s");
    expect(established.status).toBe(0);
  });

  it("says at an upgrade's time what its kinds mean by then", async () => {
    const chart = join(folder, "next");
    await cp(CHART, chart, { recursive: true });
    const kind = join(chart, "files", "crds", "seawall.dev_meshconfigs.yaml");
    await writeFile(kind, (await readFile(kind, "utf8")).replace("- mc\n", "- mc\n      - meshes\n"));
    expect(helm("upgrade", "seawall", chart)).toMatchObject({ status: 0 });
    expect(object("crd", KEPT_KIND)).toMatchObject({ spec: { names: { shortNames: ["mc", "meshes"] } } });
    expect(helm("upgrade", "seawall", CHART)).toMatchObject({ status: 0 });
    expect(object("crd", KEPT_KIND)).toMatchObject({ spec: { names: { shortNames: ["mc"] } } });
  });

  it("keeps what a user has set when the next version brings a value, a field and a tag of its own", async () => {
    const next = await nextChart();
    expect(helm("upgrade", "seawall", CHART, "--set", "access.default=Audit,sidecar.concurrency=4")).toMatchObject({ status: 0 });
    const [, upgrade = ""] = /^ {4}helm (upgrade seawall .*)$/m.exec(await readFile(GUIDE, "utf8")) ?? [];
    expect(helm(...upgrade.replace("./helm", next).split(" "))).toMatchObject({ status: 0, messages: "" });

    expect(image()).toBe("seawall/control-plane:0.2.0");
    expect(config("injection.json")).toMatchObject({ image: "seawall/sidecar:0.2.0", concurrency: 4, later: "by default" });
    expect(config("mesh-config.json")).toMatchObject({ access: { default: "Audit" } });
    const kinds = kubectl("get", "crd", "-l", "app.kubernetes.io/version=0.2.0", "-o", "name").output;
    expect(kinds.trim().split("\n")).toHaveLength(KINDS.length);
    expect(kubectl("explain", "accesspolicy.spec.note").output).toContain("Brought by the next version.");

    expect(helm("rollback", "seawall", "1")).toMatchObject({ status: 0 });
    expect(image()).toBe("seawall/control-plane:0.1.0");
    expect(config("injection.json")).toMatchObject({ concurrency: 2 });
  });

  it("keeps, over an upgrade, the authority by which the API server knows the webhooks", () => {
    const bundle = Buffer.from(server.caPem).toString("base64");
    const patch = JSON.stringify([{ op: "add", path: "/webhooks/0/clientConfig/caBundle", value: bundle }]);
    for (const kind of ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"]) {
      expect(kubectl("patch", kind, "seawall", "--type=json", "-p", patch)).toMatchObject({ status: 0 });
    }
    expect(helm("upgrade", "seawall", CHART, "--set", "admission.timeoutSeconds=7")).toMatchObject({ status: 0 });
    expect(object("mutatingwebhookconfiguration", "seawall")).toMatchObject({ webhooks: [{ timeoutSeconds: 7 }] });
    expect([caBundle("mutatingwebhookconfiguration"), caBundle("validatingwebhookconfiguration")]).toEqual([bundle, bundle]);
  });

  it("runs where only restricted pods may run, as its namespace says", () => {
    const restricted = (pod: object): Outcome => {
      const metadata = { name: "judged", namespace: "seawall-system", labels: { "seawall.dev/inject": "false" } };
      return apply({ apiVersion: "v1", kind: "Pod", ...pod, metadata }, "--dry-run=server");
    };
    const template = at(object("deployment", "seawall", "-n", "seawall-system"), "spec.template") as object;
    const test = named(render(), "Pod", "seawall-test") as object;
    for (const pod of [template, test]) expect(restricted(pod)).toMatchObject({ status: 0, messages: "" });
    const careless = restricted({ spec: { containers: [{ name: "app", image: "app" }] } });
    expect(careless).toMatchObject({ status: 1, messages: expect.stringContaining('violates PodSecurity "restricted') as unknown });
  });

  it("refuses pods of labelled namespaces while no control plane answers, and no others", () => {
    expect(kubectl("create", "namespace", "shop")).toMatchObject({ status: 0 });
    expect(kubectl("run", "before", "-n", "shop", "--image=app")).toMatchObject({ status: 0 });
    kubectl("label", "namespace", "shop", "seawall.dev/injection=enabled");
    const refused = kubectl("run", "after", "-n", "shop", "--image=app");
    expect([refused.status, refused.messages]).toEqual([1, expect.stringContaining("injection.seawall.dev")]);
    expect(kubectl("run", "out", "-n", "shop", "--image=app", "--labels=seawall.dev/inject=false")).toMatchObject({ status: 0 });
    expect(kubectl("run", "other", "-n", "default", "--image=app")).toMatchObject({ status: 0 });
  });

  it("stands neither in its own way nor in the cluster's, whatever is labelled", () => {
    for (const namespace of ["seawall-system", "kube-system"]) {
      kubectl(
        "label",
        "namespace",
        namespace,
        "seawall.dev/injection=enabled",
        "pod-security.kubernetes.io/enforce=privileged",
        "--overwrite",
      );
      expect(kubectl("run", "own", "-n", namespace, "--image=app", "--dry-run=server")).toMatchObject({ status: 0 });
    }
  });

  it("refuses policies that nobody can judge, but lets them be deleted, and the control plane make its MeshConfig", () => {
    const asItself = "--as=system:serviceaccount:seawall-system:seawall";
    const mesh = { apiVersion: "seawall.dev/v1alpha1", kind: "MeshConfig", metadata: { name: "mesh" }, spec: {} };
    expect(apply(mesh)).toMatchObject({ status: 1, messages: expect.stringContaining("policies.seawall.dev") as unknown });
    expect(apply(STRICT)).toMatchObject({ status: 1, messages: expect.stringContaining("policies.seawall.dev") as unknown });
    expect(apply(mesh, asItself, "--server-side")).toMatchObject({ status: 0 });
    expect(kubectl("delete", "meshconfig", "mesh")).toMatchObject({ status: 1 });

    expect(helm("upgrade", "seawall", CHART, "--set", "admission.failurePolicy=Ignore")).toMatchObject({ status: 0 });
    expect(apply(STRICT)).toMatchObject({ status: 0 });
    expect(helm("upgrade", "seawall", CHART)).toMatchObject({ status: 0 });
    expect(kubectl("delete", "mutualtlspolicy", "strict", "-n", "shop")).toMatchObject({ status: 0 });
  });

  it.each([[[]], [["-n", "seawall-system", "--create-namespace"]]])("gives commands that do what its notes say (helm %j)", (where) => {
    expect(helm("upgrade", "--install", "seawall", CHART, "--reset-values", "--take-ownership", ...where)).toMatchObject({ status: 0 });
    kubectl("create", "namespace", "shop");
    expect(apply(DEPLOYMENT)).toMatchObject({ status: 0 });
    kubectl("label", "namespace", "shop", "seawall.dev/injection-");
    for (const [before, after] of [
      ["Deny", "Audit"],
      ["Audit", "Deny"],
    ] as const) {
      expect(config("mesh-config.json")).toMatchObject({ access: { default: before } });
      const notes = helm("get", "notes", "seawall", ...where.slice(0, 2)).output;
      const commands = [...notes.matchAll(/^ {5}(\w.*)$/gm)].map(([, command = ""]) => command);
      expect(commands.map((command) => command.split(" ", 1)[0])).toEqual(["kubectl", "kubectl", "kubectl", "seawall", "helm"]);
      for (const command of commands) expect([command, follow(command)]).toEqual([command, expect.objectContaining({ status: 0 })]);
      expect(config("mesh-config.json")).toMatchObject({ access: { default: after } });
      expect(object("namespace", "shop").metadata.labels).toMatchObject({ "seawall.dev/injection": "enabled" });
      const restarted = at(object("deployment", "app", "-n", "shop"), "spec.template.metadata.annotations");
      expect(restarted).toMatchObject({ "kubectl.kubernetes.io/restartedAt": expect.anything() as unknown });
    }
    const [, last = ""] = /`(helm uninstall .*?)`/.exec(helm("get", "notes", "seawall", ...where.slice(0, 2)).output) ?? [];
    expect(follow(last)).toMatchObject({ status: 0 });
    // The release of the other tests. Kinds know the place of the release that left them.
    if (where.length > 0) {
      expect(helm("install", "seawall", CHART)).toMatchObject({
        status: 1,
        messages: expect.stringContaining("release-namespace") as unknown,
      });
      expect(helm("install", "seawall", CHART, "--take-ownership")).toMatchObject({ status: 0 });
    }
  });

  it("leaves policies and the authority where they are when it goes, and nothing that waits to be finished", () => {
    kubectl("delete", "validatingwebhookconfiguration", "seawall");
    const mesh = { apiVersion: "seawall.dev/v1alpha1", kind: "MeshConfig", metadata: { name: "mesh" }, spec: {} };
    expect(run("kubectl", ["--kubeconfig", server.kubeconfig, "apply", "-f", "-"], JSON.stringify(mesh))).toMatchObject({ status: 0 });
    kubectl("create", "secret", "generic", "seawall-ca", "-n", "seawall-system");

    expect(helm("uninstall", "seawall")).toMatchObject({ status: 0 });

    expect(object("meshconfig", "mesh").metadata.finalizers).toBeUndefined();
    expect(object("secret", "seawall-ca", "-n", "seawall-system").metadata.name).toBe("seawall-ca");
    const left = kubectl(
      "get",
      "deployment,service,serviceaccount,role,rolebinding,networkpolicy,pdb,configmap,clusterrole,clusterrolebinding,mutatingwebhookconfiguration,validatingwebhookconfiguration",
      "-A",
      "-l",
      "app.kubernetes.io/name=seawall",
      "-o",
      "name",
    );
    expect(left.output).toBe("");
    expect(kubectl("run", "later", "-n", "shop", "--image=app")).toMatchObject({ status: 0 });
  });

  it("comes back to what it left", () => {
    expect(helm("install", "seawall", CHART)).toMatchObject({ status: 0 });
    expect(object("meshconfig", "mesh").metadata.name).toBe("mesh");
  });

  it("takes its kinds and all policies with it where that was asked for", () => {
    expect(helm("upgrade", "seawall", CHART, "--set", "crds.keep=false")).toMatchObject({ status: 0 });
    expect(helm("uninstall", "seawall")).toMatchObject({ status: 0 });
    expect(kubectl("wait", "--for=delete", `crd/${KEPT_KIND}`, "--timeout=120s")).toMatchObject({ status: 0 });
  });
});
