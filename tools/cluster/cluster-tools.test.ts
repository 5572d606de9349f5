import { describe, expect, it } from "@jest/globals";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLUSTER_MODULES } from "../versions.ts";
import { clusterProgram } from "./fetch-cluster-tools.ts";
import { BUILT_PROGRAMS } from "./programs.ts";

/** A folder with a program of that name that says only its version. */
function folderWith(name: string, version: string): { readonly folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), "seawall-tools-"));
  writeFileSync(join(folder, name), `#!/bin/sh\necho Kubernetes v${version}\n`);
  chmodSync(join(folder, name), 0o755);
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

describe("the programs of a cluster", () => {
  it.each(Object.entries(CLUSTER_MODULES))("%s is built from the version that is pinned", (name, { module, version }) => {
    const required = readFileSync(join(import.meta.dirname, name, "go.mod"), "utf8");
    expect(required).toMatch(
      new RegExp(`^(require )?\\s*${module.replaceAll(".", "\\.")} v${version.replaceAll(".", "\\.")}( // indirect)?$`, "m"),
    );
  });

  it("each come from a module that lists them", () => {
    for (const { module, package: path } of BUILT_PROGRAMS.filter((program) => program.package !== ".")) {
      expect(readFileSync(join(import.meta.dirname, module, "go.mod"), "utf8")).toContain(path);
    }
  });

  it("are taken from KUBEBUILDER_ASSETS as they are", () => {
    using assets = folderWith("kubelet", "1.2.3");
    expect(clusterProgram("kubelet", { KUBEBUILDER_ASSETS: assets.folder, SEAWALL_TOOLS: "/nowhere" })).toBe(
      join(assets.folder, "kubelet"),
    );
  });

  it("are taken from PATH where they are of the pinned minor version, and only there", () => {
    using good = folderWith("kubelet", CLUSTER_MODULES.kubernetes.version);
    using old = folderWith("kubelet", "1.2.3");
    const environment = { PATH: `${old.folder}:${good.folder}`, SEAWALL_TOOLS: "/nowhere" };
    expect(clusterProgram("kubelet", environment)).toBe(join(good.folder, "kubelet"));
  });

  it("are asked for with the command that brings them when they are nowhere", () => {
    expect(() => clusterProgram("kubelet", { SEAWALL_TOOLS: "/nowhere" })).toThrow("run make e2e-tools");
  });
});
