import { describe, expect, it } from "@jest/globals";
import { eventually } from "./eventually.ts";
import { SHOP, type Stage, SYSTEM } from "./stage.ts";

/** From nothing to injected pods, by the commands of the README. */
export function installation(stage: Stage): void {
  describe("helm install", () => {
    it("brings up two replicas of the control plane, one of which leads", async () => {
      await stage.helmUpgrade();
      const ready = await stage.cluster.kubectl("get", "deployment", "seawall", "-n", SYSTEM, "-o", "jsonpath={.status.readyReplicas}");
      expect(ready).toBe("2");
      await eventually(
        () => stage.cluster.kubectl("get", "lease", "seawall-leader", "-n", SYSTEM, "-o", "jsonpath={.spec.holderIdentity}"),
        (holder) => holder.startsWith("seawall-"),
      );
    });

    it("teaches kubectl explain what a policy is", async () => {
      const explained = await stage.cluster.kubectl("explain", "accesspolicy.spec.rules.from");
      expect(explained).toMatch(/serviceAccounts\s+<\[\]string>/);
    });

    it("injects the pods of a labelled namespace, which start when their sidecars are configured", async () => {
      await stage.deployShop();
      const containers = await stage.cluster.kubectl(
        ...["get", "pods", "-n", SHOP, "-l", "app=orders"],
        ...["-o", "jsonpath={range .items[*]}{range .spec.initContainers[*]}{.name} {end}{end}"],
      );
      expect(containers.trim().split(" ")).toEqual(["seawall-redirect", "seawall-proxy", "seawall-redirect", "seawall-proxy"]);
    });

    it("says with seawall check that the installation is well", async () => {
      const { status, stdout, stderr } = await stage.seawall("check");
      expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
    });
  });
}
