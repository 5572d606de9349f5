import { afterAll, describe, expect } from "@jest/globals";
import { eventually } from "./eventually.ts";
import { allowOrders, onOwnNode, ORDERS, SHOP, type Stage } from "./stage.ts";

/** In the node's network namespace: what a pod and the control plane say to each other is answered with a reset. */
const TABLE = "inet seawall-e2e-cut";
const XDS_PORT = 15010;

/** What becomes of a sidecar that the control plane does not reach: it goes on with what it has, and nobody says more of it. */
export function cutOff(stage: Stage): void {
  describe("a sidecar that the control plane does not reach", () => {
    const reconnect = (): Promise<unknown> => stage.cluster.run(["nft", "delete", "table", ...TABLE.split(" ")] as ["nft", ...string[]]);
    let lost = "";
    let kept = "";

    afterAll(async () => {
      if (lost !== "") await reconnect();
    });

    onOwnNode("keeps an edit from being Programmed, and is named", async () => {
      const names = await stage.cluster.kubectl("get", "pods", "-n", SHOP, "-l", "app=orders", "-o", "jsonpath={.items[*].metadata.name}");
      [lost = "", kept = ""] = names.trim().split(" ");
      const address = await stage.cluster.kubectl("get", "pod", "-n", SHOP, lost, "-o", "jsonpath={.status.podIP}");
      const rules = `table ${TABLE} {
        chain cut { type filter hook forward priority filter; policy accept;
          ip saddr ${address} tcp dport ${XDS_PORT} reject with tcp reset
          ip daddr ${address} tcp sport ${XDS_PORT} reject with tcp reset
        }
      }`;
      expect(await stage.cluster.run(["nft", "-f", "-"], { input: rules })).toMatchObject({ status: 0 });
      await stage.cluster.apply(allowOrders("orders", "web", "/orders/edited"));
      const generation = await stage.cluster.kubectl("get", "-n", SHOP, "accesspolicy/orders", "-o", "jsonpath={.metadata.generation}");
      const programmed = await eventually(
        async () => {
          const path = 'jsonpath={.status.conditions[?(@.type=="Programmed")]}';
          const condition = await stage.cluster.kubectl("get", "-n", SHOP, "accesspolicy/orders", "-o", path);
          return JSON.parse(condition) as { readonly status: string; readonly message: string; readonly observedGeneration: number };
        },
        ({ observedGeneration, message }) => String(observedGeneration) === generation && message.includes("1 of 2"),
      );
      expect(programmed).toMatchObject({ status: "False", message: expect.stringContaining(lost) as unknown });
    });

    onOwnNode("goes on with what it has, while the others enforce the edit", async () => {
      const before = await eventually(
        () => stage.web.call({ url: `${ORDERS}/orders` }),
        ({ status }) => status === 200,
      );
      expect(JSON.parse(before.body ?? "")).toMatchObject({ server: lost });
      const edited = await eventually(
        () => stage.web.call({ url: `${ORDERS}/orders/edited` }),
        ({ status }) => status === 200,
      );
      expect(JSON.parse(edited.body ?? "")).toMatchObject({ server: kept });
    });

    onOwnNode("is told by proxy status from one that is synced", async () => {
      const { status, stdout } = await stage.seawall("proxy", "status", "-n", SHOP, "-o", "json");
      const sidecars = JSON.parse(stdout) as readonly { readonly pod: string; readonly state: string }[];
      const stateOf = (name: string): string => sidecars.find(({ pod }) => pod === `${SHOP}/${name}`)?.state ?? "not listed";
      expect({ status, kept: stateOf(kept) }).toEqual({ status: 1, kept: "synced" });
      expect(stateOf(lost)).toMatch(/^(syncing|not connected)$/);
    });

    onOwnNode("is seen by proxy config to run what the control plane does not mean", async () => {
      const { status, stdout, stderr } = await stage.seawall("proxy", "config", `${SHOP}/${lost}`);
      expect({ status, stdout, stderr }).toMatchObject({
        status: 1,
        stdout: expect.stringMatching(/^routes +\d+ +.*should be/m) as unknown,
      });
    });

    onOwnNode("is a problem that seawall check finds", async () => {
      const { status, stdout } = await stage.seawall("check");
      expect({ status, stdout }).toMatchObject({
        status: 1,
        stdout: expect.stringMatching(new RegExp(`AccessPolicy ${SHOP}/orders is not enforced everywhere: .*${lost}`)) as unknown,
      });
    });

    onOwnNode("enforces the edit as soon as it is reached again", async () => {
      expect(await reconnect()).toMatchObject({ status: 0 });
      lost = "";
      await stage.enforce(allowOrders("orders", "web", "/orders/edited"));
      for (let call = 0; call < 8; call++) {
        expect(await stage.web.call({ url: `${ORDERS}/orders/edited` })).toMatchObject({ status: 200 });
        expect(await stage.web.call({ url: `${ORDERS}/orders` })).toMatchObject({ status: 403 });
      }
      await stage.enforce(allowOrders("orders", "web", "/orders"));
    });
  });
}
