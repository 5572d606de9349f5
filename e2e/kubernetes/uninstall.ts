import { describe, expect, it } from "@jest/globals";
import { eventually } from "./eventually.ts";
import { ORDERS, SHOP, type Stage, SYSTEM } from "./stage.ts";

/** What is left when Seawall has gone: the user's application and policies, and nothing that stands in anybody's way. */
export function uninstall(stage: Stage): void {
  describe("helm uninstall", () => {
    it("finds an application that went out of the mesh before it, and goes on without", async () => {
      await stage.cluster.kubectl("label", "namespace", SHOP, "seawall.dev/injection-");
      await stage.cluster.kubectl("rollout", "restart", "deployment", "-n", SHOP);
      await stage.rolledOut(SHOP);
      await eventually(
        () => stage.cluster.kubectl("get", "configmaps", "-n", SHOP, "-o", "name"),
        (names) => !names.includes("seawall-trust"),
      );
      await stage.cluster.helm("uninstall", "seawall", "-n", SYSTEM, "--wait", "--timeout", "2m");
      expect(await stage.web.call({ url: `${ORDERS}/orders` })).toMatchObject({ status: 200 });
    });

    it("leaves policies where they are, and nothing that waits to be finished", async () => {
      const policies = await stage.cluster.kubectl("get", "accesspolicies", "-n", SHOP, "-o", "jsonpath={.items[*].metadata}");
      expect(policies).toContain('"name":"orders"');
      expect(policies).not.toContain("finalizers");
      const cluster = "clusterrole,clusterrolebinding,mutatingwebhookconfiguration,validatingwebhookconfiguration";
      expect(await stage.cluster.kubectl("get", cluster, "-l", "app.kubernetes.io/name=seawall", "-o", "name")).toBe("");
      // By their names too: one that had lost its labels would stand in the way all the same.
      expect((await stage.cluster.kubectl("get", cluster, "-o", "name")).split("\n").filter((name) => /\/seawall(-|$)/.test(name))).toEqual(
        [],
      );
      await stage.cluster.kubectl("wait", "--for=delete", "pod", "-n", SYSTEM, "-l", "app.kubernetes.io/name=seawall", "--timeout=180s");
      const namespaced = "deployment,pod,service,serviceaccount,role,rolebinding,networkpolicy,poddisruptionbudget";
      const left = await stage.cluster.kubectl("get", namespaced, "-n", SYSTEM, "-l", "app.kubernetes.io/name=seawall", "-o", "name");
      expect(left).toBe("");
    });

    it("lets pods start again wherever they are, and is missed by nobody but seawall check", async () => {
      await stage.cluster.kubectl("label", "namespace", SHOP, "seawall.dev/injection=enabled");
      await stage.cluster.kubectl("rollout", "restart", "deployment/web", "-n", SHOP);
      await stage.rolledOut(SHOP);
      const { status, stdout } = await stage.seawall("check");
      expect({ status, stdout }).toMatchObject({ status: 1, stdout: expect.stringContaining("install it: helm install") as unknown });
    });

    it("leaves nothing at all once its namespace and kinds are deleted too", async () => {
      const kinds = await stage.cluster.kubectl("get", "crd", "-l", "app.kubernetes.io/name=seawall", "-o", "name");
      await stage.cluster.kubectl("delete", ...kinds.trim().split("\n"), "--timeout=180s");
      await stage.cluster.kubectl("delete", "namespace", SYSTEM, SHOP, "--timeout=180s");
      const trust = await stage.cluster.kubectl("get", "configmaps", "-A", "--field-selector=metadata.name=seawall-trust", "-o", "name");
      expect(trust).toBe("");
    });
  });
}
