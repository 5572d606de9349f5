import { beforeAll, describe, expect, it } from "@jest/globals";
import { parse, stringify } from "yaml";
import { SEAWALL_VERSION } from "../../tools/images/seawall-images.ts";
import { NEXT_FIELD, NEXT_VERSION, nextVersion } from "./next-version.ts";
import { withTraffic } from "./restarts.ts";
import { allowOrders, ORDERS, SHOP, type Stage, SYSTEM } from "./stage.ts";

interface Pod {
  readonly metadata: { readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly initContainers?: readonly Container[]; readonly containers: readonly Container[] };
  readonly status: { readonly initContainerStatuses?: readonly Starts[]; readonly containerStatuses?: readonly Starts[] };
}

interface Starts {
  readonly restartCount: number;
}

interface Container {
  readonly name: string;
  readonly image: string;
}

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
      expect(before.split(" ")).toHaveLength(2);
      await withTraffic(stage, () => stage.helmUpgrade({ "log.level": "debug", "admission.timeoutSeconds": 7 }));
      expect(await bundles()).toBe(before);
    });

    it("brings what it changes of sidecars to the pods that are made from then on", async () => {
      await stage.helmUpgrade({ "sidecar.logLevel": "info" });
      await stage.cluster.kubectl("rollout", "restart", "deployment/stranger", "-n", SHOP);
      await stage.rolledOut(SHOP);
      const made = await stage.cluster.kubectl(
        ...["get", "pods", "-n", SHOP, "-l", "app=stranger", "--sort-by=.metadata.creationTimestamp"],
        ...["-o", "jsonpath={.items[-1:].spec.initContainers[?(@.name=='seawall-proxy')].args}"],
      );
      expect(JSON.parse(made)).toEqual(expect.arrayContaining(["--log-level", "info"]));
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

  describe("helm upgrade to the next version", () => {
    let chart: string;
    beforeAll(async () => {
      chart = await nextVersion(stage);
    }, 15 * 60_000);

    const kubectl = (...args: string[]): Promise<string> => stage.cluster.kubectl(...args);
    /** All that a user has set, or that the mesh stands on, whatever its version. */
    const kept = async (): Promise<readonly string[]> => [
      await stage.cluster.helm("get", "values", "seawall", "-n", SYSTEM, "-o", "json"),
      await kubectl("get", "meshconfig", "mesh", "-o", "jsonpath={.metadata.uid}{.spec}"),
      await kubectl("get", "accesspolicies", "-A", "-o", "jsonpath={range .items[*]}{.metadata.uid}{.spec}{end}"),
      await kubectl("get", "secret", "seawall-ca", "-n", SYSTEM, "-o", "jsonpath={.metadata.uid} {.metadata.resourceVersion}"),
      await kubectl("get", "configmap", "seawall-trust", "-n", SHOP, "-o", "jsonpath={.metadata.uid}{.data}"),
    ];
    /** The pods that are not about to go. */
    const pods = async (inNamespace: string, label = ""): Promise<readonly Pod[]> => {
      const { items } = JSON.parse(await kubectl("get", "pods", "-n", inNamespace, "-l", label, "-o", "json")) as {
        readonly items: readonly Pod[];
      };
      return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    };
    /** Who runs in the shop, and how often each container was started again. */
    const shop = async (): Promise<string[]> =>
      (await pods(SHOP))
        .map(({ metadata, status }) => {
          const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
          return `${metadata.uid} ${all.map(({ restartCount }) => restartCount).join(" ")}`;
        })
        .toSorted();
    /** The images of a container of every pod, one for each. */
    const images = async (inNamespace: string, label: string, container: string): Promise<string[]> =>
      (await pods(inNamespace, label))
        .flatMap(({ spec }) => [...(spec.initContainers ?? []), ...spec.containers])
        .flatMap(({ name, image }) => (name === container ? [image] : []))
        .toSorted();
    const controlPlanes = (): Promise<string[]> => images(SYSTEM, "app.kubernetes.io/component=control-plane", "control-plane");
    const sidecars = (): Promise<string[]> => images(SHOP, "app=orders", "seawall-proxy");
    const release = (...args: string[]): Promise<string> => stage.cluster.helm(...args, "-n", SYSTEM, "--wait", "--timeout", "5m");

    it("replaces the control plane under traffic without a failed call, keeps all that was set, and touches no pod of the mesh", async () => {
      const before = { kept: await kept(), shop: await shop() };
      await withTraffic(stage, async () => {
        await release("upgrade", "seawall", chart, "--reset-then-reuse-values");
      });
      expect(await controlPlanes()).toEqual(Array<string>(2).fill(`seawall/control-plane:${NEXT_VERSION}`));
      expect({ kept: await kept(), shop: await shop() }).toEqual(before);
    });

    it("serves the sidecars of the version before, with what only the new version knows", async () => {
      expect(await sidecars()).toEqual(Array<string>(2).fill(`seawall/sidecar:${SEAWALL_VERSION}`));
      const policy = parse(allowOrders("orders", "web", "/**")) as { readonly spec: object };
      await stage.enforce(stringify({ ...policy, spec: { ...policy.spec, [NEXT_FIELD]: "for the shop" } }));
      expect(await kubectl("get", "accesspolicy", "orders", "-n", SHOP, "-o", `jsonpath={.spec.${NEXT_FIELD}}`)).toBe("for the shop");
      expect(await stage.web.call({ url: `${ORDERS}/orders/next` })).toMatchObject({ status: 200 });
      expect(await stage.stranger.call({ url: `${ORDERS}/orders/next` })).toMatchObject({ status: 403 });
      const { status, stdout } = await stage.seawall("check");
      const words = `of another version than the control plane (${NEXT_VERSION})`;
      expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining(words) as unknown });
    });

    it("gives pods that are made now the new sidecar, beside the old one, without a failed call", async () => {
      await withTraffic(stage, async () => {
        const [first = ""] = (await kubectl("get", "pods", "-n", SHOP, "-l", "app=orders", "-o", "name")).split("\n");
        await kubectl("delete", "-n", SHOP, first, "--wait=true");
        await stage.rolledOut(SHOP);
      });
      expect(await sidecars()).toEqual([`seawall/sidecar:${SEAWALL_VERSION}`, `seawall/sidecar:${NEXT_VERSION}`]);
    });

    it("can be taken back under traffic: the version before serves sidecars of both, and policies hold", async () => {
      await withTraffic(stage, async () => {
        await release("rollback", "seawall");
      });
      expect(await controlPlanes()).toEqual(Array<string>(2).fill(`seawall/control-plane:${SEAWALL_VERSION}`));
      expect(await stage.web.call({ url: `${ORDERS}/orders/next` })).toMatchObject({ status: 200 });
      await stage.enforce(allowOrders("orders", "web", "/orders"));
      expect(await stage.web.call({ url: `${ORDERS}/orders` })).toMatchObject({ status: 200 });
      expect(await stage.web.call({ url: `${ORDERS}/orders/next` })).toMatchObject({ status: 403 });
    });
  });
}
