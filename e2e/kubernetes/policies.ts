import { describe, expect, it } from "@jest/globals";
import { eventually } from "./eventually.ts";
import { allowOrders, ORDERS, SHOP, type Stage } from "./stage.ts";

/** What policies permit and refuse, and that a refusal says who refused. */
export function policies(stage: Stage): void {
  describe("kubectl apply of a policy", () => {
    it("finds everything refused before: no service is visible to anybody, and the caller's log says so", async () => {
      expect(await stage.web.call({ url: `${ORDERS}/before` })).toMatchObject({ status: 403 });
      const entries = await eventually(
        () => stage.accessLog("web"),
        (log) => log.some((entry) => entry["path"] === "/before"),
      );
      expect(entries.find((entry) => entry["path"] === "/before")).toMatchObject({ policy: "not-visible/shop/web", verdict: "denied" });
    });

    it("permits what the policy says as soon as kubectl wait says Programmed, and nothing else", async () => {
      await stage.enforce(allowOrders("orders", "web", "/orders"));
      expect(await stage.web.call({ url: `${ORDERS}/orders` })).toMatchObject({ status: 200 });
      expect(await stage.web.call({ url: `${ORDERS}/orders`, method: "DELETE" })).toMatchObject({ status: 403 });
      expect(await stage.web.call({ url: `${ORDERS}/admin` })).toMatchObject({ status: 403 });
      expect(await stage.stranger.call({ url: `${ORDERS}/orders` })).toMatchObject({ status: 403 });
    });

    it("names in the access log who was refused and by what", async () => {
      const refusal = await eventually(
        () => stage.accessLog("orders"),
        (entries) => entries.some((entry) => entry["path"] === "/admin"),
      );
      expect(refusal.find((entry) => entry["path"] === "/admin")).toMatchObject({
        peer: "spiffe://cluster.local/ns/shop/sa/web",
        policy: "default-deny/shop/orders",
      });
    });

    it("enforces an edit on every sidecar by the time that its generation is Programmed", async () => {
      for (const [path, other] of [
        ["/orders/v2", "/orders"],
        ["/orders", "/orders/v2"],
      ] as const) {
        await stage.enforce(allowOrders("orders", "web", path));
        await stage.cluster.kubectl(
          "wait",
          "-n",
          SHOP,
          "accesspolicy/orders",
          "--for=jsonpath={.status.conditions[?(@.type=='Programmed')].observedGeneration}=" +
            (await stage.cluster.kubectl("get", "-n", SHOP, "accesspolicy/orders", "-o", "jsonpath={.metadata.generation}")),
          "--timeout=60s",
        );
        expect(await stage.web.call({ url: `${ORDERS}${path}` })).toMatchObject({ status: 200 });
        expect(await stage.web.call({ url: `${ORDERS}${other}` })).toMatchObject({ status: 403 });
      }
    });

    it("lets a server that speaks first greet whom a policy permits, and nobody else", async () => {
      await stage.enforce(
        allowOrders("orders", "web", "/orders") +
          `---
apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: greeting, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: orders }]
  action: Allow
  rules:
    - { name: web-talks, from: [{ serviceAccounts: [web] }], to: [{ ports: [tcp-greeting] }] }
`,
      );
      const host = "orders.shop.svc.cluster.local";
      expect(await stage.web.talk({ host, port: 9000, until: 10 })).toMatchObject({ heard: "220 ready\n" });
      // Refused, not left waiting.
      const refused = await stage.stranger.talk({ host, port: 9000, until: 10 });
      expect(refused).toMatchObject({ heard: "", outcome: expect.stringMatching(/^(closed|ECONNRESET)$/) as unknown });
    });

    it("takes back what a policy permitted when it is deleted", async () => {
      await stage.enforce(allowOrders("passing", "web", "/passing"));
      expect(await stage.web.call({ url: `${ORDERS}/passing` })).toMatchObject({ status: 200 });
      await stage.cluster.kubectl("delete", "-n", SHOP, "accesspolicy/passing");
      await eventually(
        () => stage.web.call({ url: `${ORDERS}/passing` }),
        ({ status }) => status === 403,
      );
    });

    it("explains a refusal from the command line as the sidecar decided it", async () => {
      for (const [caller, client, path] of [
        ["web", stage.web, "/explained"],
        ["stranger", stage.stranger, "/explained"],
      ] as const) {
        expect(await client.call({ url: `${ORDERS}${path}` })).toMatchObject({ status: 403 });
        const { status, stdout, stderr } = await stage.seawall(
          "explain",
          "--from",
          `${SHOP}/${caller}`,
          "--to",
          "orders.shop",
          "GET",
          path,
        );
        expect({ caller, status, stdout, stderr }).toMatchObject({
          status: 1,
          stdout: expect.stringContaining("REFUSED with 403 by ") as unknown,
        });
        const [, explained = ""] = /^REFUSED with 403 by (\S+)$/m.exec(stdout) ?? [];
        const log = await eventually(
          async () => [...(await stage.accessLog("orders")), ...(await stage.accessLog(caller))].filter((entry) => entry["path"] === path),
          (entries) => entries.some(({ policy }) => policy === explained),
        );
        expect(log).toContainEqual(expect.objectContaining({ policy: explained, verdict: "denied" }));
      }
    });
  });
}
