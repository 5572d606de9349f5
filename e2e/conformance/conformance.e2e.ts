/** The Gateway API's own conformance suite, and the reports in docs/conformance that it leaves. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { join } from "node:path";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";
import { isForeignCluster } from "../cluster/open-cluster.ts";
import { eventually } from "../kubernetes/eventually.ts";
import { Stage, SYSTEM } from "../kubernetes/stage.ts";
import { otherRoutes } from "./other-routes.ts";
import { type ConformanceOptions, type ConformanceResult, runConformance } from "./suite-run.ts";

const REPORTS = join(import.meta.dirname, "..", "..", "docs", "conformance");

describe("the Gateway API's conformance suite for meshes", () => {
  const stage = new Stage();
  beforeAll(async () => {
    await stage.open();
    await stage.helmUpgrade();
    // A release that was there a moment ago may still lead: until its lease ends nobody gives the webhooks their new authority.
    const patch = ["patch", "meshconfig", "mesh", "--type=merge", "--patch", '{"spec":{}}', "--dry-run=server"];
    await eventually(
      () => stage.cluster.run([clusterProgram("kubectl"), ...patch]),
      ({ status }) => status === 0,
    );
  }, 20 * 60_000);
  afterAll(async () => {
    await stage.cluster.helm("uninstall", "seawall", "-n", SYSTEM, "--wait", "--timeout", "2m");
    await stage.close();
  }, 600_000);

  const run = (options: Omit<ConformanceOptions, "cluster">): Promise<ConformanceResult> => {
    const { cluster } = stage;
    return runConformance({ cluster, importImage: (archive) => cluster.importImage(archive), keepKinds: isForeignCluster(), ...options });
  };

  it(
    "passes, core and every extended feature, in a mesh that allows by default",
    async () => {
      const { passed, passing, failing } = await run({ access: "Allow", report: join(REPORTS, "mesh.yaml") });
      expect({ passed, failing }).toEqual({ passed: true, failing: [] });
      expect(passing.length).toBeGreaterThanOrEqual(22);
    },
    30 * 60_000,
  );

  it(
    "passes MeshBasic in a mesh that denies by default, where policies let its pods call each other",
    async () => {
      const result = await run({ access: "Deny", test: "MeshBasic", report: join(REPORTS, "mesh-basic-under-deny.yaml") });
      expect(result).toEqual({ passed: true, passing: ["MeshBasic"], failing: [] });
    },
    10 * 60_000,
  );

  otherRoutes(() => stage.cluster);
});
