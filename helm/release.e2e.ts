/** A release's life on a real API server: what an upgrade keeps, and what is left when it has gone. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiServer, startApiServer } from "../e2e/cluster/api-server.ts";
import { CHART, type Manifest, type Outcome, run } from "./testing/helm.ts";

const KEPT_KIND = "meshconfigs.seawall.dev";

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
  /** What one webhook's `caBundle` holds. */
  function caBundle(kind: string): string {
    return kubectl("get", kind, "seawall", "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}").output;
  }

  it("installs from nothing with one command, in seawall-system", () => {
    const { status, output, messages } = helm("install", "seawall", CHART);
    expect([status, messages]).toEqual([0, ""]);
    expect(output).toContain("kubectl label namespace <namespace> seawall.dev/injection=enabled");
    expect(object("deployment", "seawall", "-n", "seawall-system").metadata.name).toBe("seawall");
    const established = kubectl("wait", "--for=condition=Established", "crd", "-l", "app.kubernetes.io/name=seawall", "--timeout=30s");
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

  it("refuses pods of labelled namespaces while no control plane answers, and no others", () => {
    expect(kubectl("create", "namespace", "shop")).toMatchObject({ status: 0 });
    expect(kubectl("run", "before", "-n", "shop", "--image=app")).toMatchObject({ status: 0 });
    kubectl("label", "namespace", "shop", "seawall.dev/injection=enabled");
    const refused = kubectl("run", "after", "-n", "shop", "--image=app");
    expect([refused.status, refused.messages]).toEqual([1, expect.stringContaining("injection.seawall.dev")]);
    expect(kubectl("run", "out", "-n", "shop", "--image=app", "--labels=seawall.dev/inject=false")).toMatchObject({ status: 0 });
    expect(kubectl("run", "other", "-n", "default", "--image=app")).toMatchObject({ status: 0 });
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
    expect(kubectl("wait", "--for=delete", `crd/${KEPT_KIND}`, "--timeout=60s")).toMatchObject({ status: 0 });
  });
});
