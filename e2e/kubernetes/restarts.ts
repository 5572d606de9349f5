import { describe, expect, it } from "@jest/globals";
import { eventually } from "./eventually.ts";
import { allowOrders, onOwnNode, ORDERS, SHOP, type Stage, SYSTEM } from "./stage.ts";

/** Everything is restarted in its turn, and no call fails. */
export function restarts(stage: Stage): void {
  describe("under traffic, no call fails", () => {
    it("while the application is rolled out anew", async () => {
      await withTraffic(stage, async () => {
        await stage.cluster.kubectl("rollout", "restart", "deployment/orders", "-n", SHOP);
        await stage.rolledOut(SHOP);
      });
    });

    it("while every replica of the control plane is killed, and policies are enforced again afterwards", async () => {
      await withTraffic(stage, async () => {
        const former = await stage.replicas();
        await stage.cluster.kubectl("delete", "pods", "-n", SYSTEM, "-l", "app.kubernetes.io/name=seawall", "--grace-period=0", "--force");
        await stage.controlPlaneIsBack(former);
      });
      await stage.enforce(allowOrders("orders", "web", "/orders/after-the-kill"));
      expect(await stage.web.call({ url: `${ORDERS}/orders/after-the-kill` })).toMatchObject({ status: 200 });
      await stage.enforce(allowOrders("orders", "web", "/orders"));
    });

    it("issues no certificate anew when the control plane was restarted", async () => {
      const issued = await certificatesIssued(stage);
      expect(issued).toBe(0);
    });

    it("while every replica of the control plane is replaced in its turn, and no pod and no policy is refused meanwhile", async () => {
      await withTraffic(stage, () =>
        stage.whileAdmitting(async () => {
          const former = await stage.replicas();
          await stage.cluster.kubectl("rollout", "restart", "deployment/seawall", "-n", SYSTEM);
          await stage.controlPlaneIsBack(former);
          const gone = former.map((name) => `pod/${name}`);
          await stage.cluster.kubectl("wait", "-n", SYSTEM, ...gone, "--for=delete", "--timeout=180s");
        }),
      );
    });

    it("while the control plane is scaled to one replica and to three, and no pod and no policy is refused meanwhile", async () => {
      await withTraffic(stage, () =>
        stage.whileAdmitting(async () => {
          for (const replicas of [1, 3, 2]) {
            await stage.cluster.kubectl("scale", "deployment/seawall", "-n", SYSTEM, `--replicas=${replicas}`);
            await eventually(
              () => stage.replicas(),
              (pods) => pods.length === replicas,
              180_000,
            );
            await stage.rolledOut(SYSTEM);
          }
        }),
      );
    });

    onOwnNode("while the API server is killed and started again, after which edits are enforced as before", async () => {
      await withTraffic(stage, async () => {
        await stage.cluster.restartApiServer();
        await stage.controlPlaneIsBack();
      });
      await stage.enforce(allowOrders("orders", "web", "/orders/after-the-restart"));
      expect(await stage.web.call({ url: `${ORDERS}/orders/after-the-restart` })).toMatchObject({ status: 200 });
      await stage.enforce(allowOrders("orders", "web", "/orders"));
    });
  });
}

/** Calls `orders` all the while, and expects every call to succeed. */
export async function withTraffic(stage: Stage, act: () => Promise<void>): Promise<void> {
  await stage.web.startLoad("traffic", { url: `${ORDERS}/orders` });
  try {
    await act();
    const before = (await stage.web.look("traffic")).calls;
    await eventually(
      () => stage.web.look("traffic"),
      ({ calls }) => calls >= before + 50,
    );
  } catch (failure) {
    // What comes next finds nobody who calls.
    await stage.web.stopLoad("traffic");
    throw failure;
  }
  const { calls, failures } = await stage.web.stopLoad("traffic");
  expect(failures).toEqual([]);
  expect(calls).toBeGreaterThan(50);
}

/** By all replicas together, since each started. */
async function certificatesIssued(stage: Stage): Promise<number> {
  const pods = await stage.cluster.kubectl("get", "pods", "-n", SYSTEM, "-l", "app.kubernetes.io/name=seawall", "-o", "name");
  let sum = 0;
  for (const pod of pods.trim().split("\n")) {
    const metrics = await stage.cluster.kubectl(
      "get",
      "--raw",
      `/api/v1/namespaces/${SYSTEM}/pods/${pod.slice("pod/".length)}:15014/proxy/metrics`,
    );
    sum += Number(/^seawall_certificates_issued (\d+)$/m.exec(metrics)?.[1]);
  }
  return sum;
}
