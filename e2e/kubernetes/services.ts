import { describe, expect, it } from "@jest/globals";
import { eventually } from "./eventually.ts";
import { IMAGE, documents } from "./application.ts";
import { SHOP, type Stage } from "./stage.ts";

const STORE = "store.shop.svc.cluster.local";

/** Services of every kind that Kubernetes has. */
export function services(stage: Stage): void {
  describe("a Service of another kind", () => {
    it("without an address of its own leads to each pod of its StatefulSet by name, with the pod's policies", async () => {
      await stage.cluster.apply(headlessStore());
      await stage.cluster.kubectl("rollout", "status", "statefulset/store", "-n", SHOP, "--timeout=180s");
      await stage.cluster.kubectl("wait", "-n", SHOP, "accesspolicy/store", "--for=condition=Programmed", "--timeout=60s");
      for (const pod of ["store-0", "store-1"]) {
        const url = `http://${pod}.${STORE}:8080/shelf`;
        await eventually(
          () => stage.web.call({ url }),
          ({ status }) => status === 200,
        );
        // Whoever spread calls over the pods would meet the right one half of the time.
        for (let call = 0; call < 8; call++) {
          const { status, body = "" } = await stage.web.call({ url });
          expect({ url, status, server: (JSON.parse(body) as { readonly server?: string }).server }).toEqual({
            url,
            status: 200,
            server: pod,
          });
        }
      }
      expect(await stage.web.call({ url: `http://${STORE}:8080/shelf` })).toMatchObject({ status: 200 });
      expect(await stage.stranger.call({ url: `http://store-0.${STORE}:8080/shelf` })).toMatchObject({ status: 403 });
      const [entry] = await eventually(
        async () => (await stage.accessLog("store")).filter(({ path, direction }) => path === "/shelf" && direction === "inbound"),
        (entries) => entries.length > 0,
      );
      expect(entry).toMatchObject({ peer: "spiffe://cluster.local/ns/shop/sa/web" });
    });

    it("that is only another name leads to the Service of that name, with its policies", async () => {
      await stage.cluster.apply(
        documents({
          apiVersion: "v1",
          kind: "Service",
          metadata: { name: "alias", namespace: SHOP },
          spec: { type: "ExternalName", externalName: "orders.shop.svc.cluster.local" },
        }),
      );
      const allowed = await eventually(
        () => stage.web.call({ url: "http://alias.shop.svc.cluster.local/orders" }),
        ({ failure }) => failure === undefined,
      );
      expect(allowed).toMatchObject({ status: 200 });
      expect(await stage.web.call({ url: "http://alias.shop.svc.cluster.local/admin" })).toMatchObject({ status: 403 });
    });
  });
}

function headlessStore(): string {
  return documents(
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "store", namespace: SHOP } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "store", namespace: SHOP },
      spec: { clusterIP: "None", selector: { app: "store" }, ports: [{ name: "http", port: 8080 }] },
    },
    {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "store", namespace: SHOP },
      spec: {
        serviceName: "store",
        replicas: 2,
        podManagementPolicy: "Parallel",
        selector: { matchLabels: { app: "store" } },
        template: {
          metadata: { labels: { app: "store" } },
          spec: {
            serviceAccountName: "store",
            containers: [
              {
                name: "app",
                image: IMAGE,
                imagePullPolicy: "Never",
                command: ["node", "/programs/server.mjs"],
                ports: [{ name: "http", containerPort: 8080 }],
                volumeMounts: [{ name: "programs", mountPath: "/programs" }],
              },
            ],
            volumes: [{ name: "programs", configMap: { name: "programs" } }],
          },
        },
      },
    },
    {
      apiVersion: "seawall.dev/v1alpha1",
      kind: "AccessPolicy",
      metadata: { name: "store", namespace: SHOP },
      spec: {
        targetRefs: [{ kind: "Service", name: "store" }],
        action: "Allow",
        rules: [{ name: "reads", from: [{ serviceAccounts: ["web"] }], to: [{ methods: ["GET"], paths: ["/shelf"] }] }],
      },
    },
  );
}
