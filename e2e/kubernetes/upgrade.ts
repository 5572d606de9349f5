import { describe, expect, it } from "@jest/globals";
import { withTraffic } from "./restarts.ts";
import { allowOrders, ORDERS, SHOP, type Stage } from "./stage.ts";

/** `helm upgrade` of a mesh in use, and what of it stays as it was. */
export function upgrade(stage: Stage): void {
  describe("helm upgrade", () => {
    const bundles = (): Promise<string> =>
      stage.cluster.kubectl(
        ...["get", "mutatingwebhookconfiguration,validatingwebhookconfiguration"],
        ...["-l", "app.kubernetes.io/name=seawall", "-o", "jsonpath={.items[*].webhooks[*].clientConfig.caBundle}"],
      );

    it("replaces the control plane under traffic without a failed call", async () => {
      const before = await bundles();
      await withTraffic(stage, () => stage.helmUpgrade({ "log.level": "debug", "admission.timeoutSeconds": 7 }));
      expect(await bundles()).toBe(before);
    });

    it("leaves injection and admission in working order", async () => {
      await stage.cluster.kubectl("rollout", "restart", "deployment/stranger", "-n", SHOP);
      await stage.rolledOut(SHOP);
      await stage.enforce(allowOrders("orders", "web", "/orders"));
      expect(await stage.web.call({ url: `${ORDERS}/orders` })).toMatchObject({ status: 200 });
      const { status, stdout } = await stage.seawall("check");
      expect({ status, stdout }).toMatchObject({ status: 0 });
    });
  });
}
