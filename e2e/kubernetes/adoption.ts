import { describe, expect, it } from "@jest/globals";
import { client, documents, namespace, server } from "./application.ts";
import { Client } from "./client.ts";
import { eventually } from "./eventually.ts";
import type { Stage } from "./stage.ts";

const OLD = "legacy";
const STOCK = `http://stock.${OLD}.svc.cluster.local`;

interface Finding {
  readonly area: string;
  readonly state: string;
  readonly message: string;
}

/** An application that ran long before Seawall came into its cluster: Audit, would-be refusals, policies, Deny; no call fails. */
export function adoption(stage: Stage): void {
  describe("a running application is taken into the mesh", () => {
    const caller = (): Client => new Client(stage.cluster, OLD, "till");

    async function whileCalled(act: () => Promise<void>, headers: Readonly<Record<string, string>> = {}): Promise<void> {
      await caller().startLoad("adoption", { url: `${STOCK}/stock`, headers });
      await act();
      const { calls } = await caller().look("adoption");
      await eventually(
        () => caller().look("adoption"),
        (load) => load.calls >= calls + 50,
      );
      expect((await caller().stopLoad("adoption")).failures).toEqual([]);
    }

    /** Ends when the pods that were replaced are gone: until then they may lose a call. */
    async function replaced(app: string, by: () => Promise<unknown>): Promise<void> {
      const pods = async (): Promise<readonly string[]> =>
        (await stage.cluster.kubectl("get", "pods", "-n", OLD, "-l", `app=${app}`, "-o", "name")).trim().split("\n");
      const before = await pods();
      await by();
      await stage.rolledOut(OLD);
      await eventually(pods, (now) => !now.some((pod) => before.includes(pod)));
    }

    const rollout = (app: string): Promise<void> =>
      replaced(app, () => stage.cluster.kubectl("rollout", "restart", `deployment/${app}`, "-n", OLD));

    async function auditFindings(since = "15s"): Promise<readonly string[]> {
      const { stdout } = await stage.seawall("check", "--since", since, "-o", "json");
      const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
      return findings.filter(({ area, state }) => area === "audit" && state !== "ok").map(({ message }) => message);
    }

    async function setDefault(access: "Audit" | "Deny"): Promise<void> {
      const patch = JSON.stringify({ spec: { access: { namespaces: [{ name: OLD, default: access }] } } });
      await stage.cluster.kubectl("patch", "meshconfig", "mesh", "--type=merge", "-p", patch);
    }

    it("with its servers first, while callers without sidecar go on calling them", async () => {
      await stage.cluster.apply(
        [
          namespace(OLD, {}),
          server({ namespace: OLD, name: "stock", replicas: 2, preStopSeconds: 5 }),
          client({ namespace: OLD, name: "till" }),
        ].join("---\n"),
      );
      await stage.rolledOut(OLD);
      await setDefault("Audit");
      await stage.cluster.kubectl("label", "namespace", OLD, "seawall.dev/injection=enabled");
      // A server that ends closes its idle connections, and a call that is on its way on one of them is lost, mesh or no mesh:
      // with injection off as well (docs/decisions/018).
      await whileCalled(() => rollout("stock"), { connection: "close" });
    });

    it("and its servers are replaced once more, now with sidecars, while callers without one keep their connections", async () => {
      await whileCalled(() => rollout("stock"));
    });

    it("with its callers next, whose calls are permitted from the first one on, and recorded", async () => {
      await replaced("till", () => stage.cluster.kubectl("set", "env", "deployment/till", "-n", OLD, `CALLS=${STOCK}/stock`));
      await eventually(
        () => caller().look("from-the-start"),
        ({ calls }) => calls >= 50,
      );
      expect(await caller().call({ url: `${STOCK}/stock` })).toMatchObject({ status: 200 });
      await caller().call({ url: `${STOCK}/admin` });
      // Two pods answer, and each writes its log when it likes.
      const recorded = new RegExp(`${OLD}/till at ${OLD}/stock: .*default-deny/${OLD}/stock would refuse: .*GET /stock`);
      await eventually(
        () => auditFindings("2m"),
        (messages) => messages.some((message) => recorded.test(message)),
      );
    });

    it("with the policies that the record asks for, after which nothing more is recorded of what they allow", async () => {
      await stage.cluster.apply(
        documents({
          apiVersion: "seawall.dev/v1alpha1",
          kind: "AccessPolicy",
          metadata: { name: "stock", namespace: OLD },
          spec: {
            targetRefs: [{ kind: "Service", name: "stock" }],
            action: "Allow",
            rules: [{ name: "till-reads", from: [{ serviceAccounts: ["till"] }], to: [{ methods: ["GET"], paths: ["/stock"] }] }],
          },
        }),
      );
      await stage.cluster.kubectl("wait", "-n", OLD, "accesspolicy/stock", "--for=condition=Programmed", "--timeout=60s");
      await whileCalled(async () => {
        await eventually(
          () => auditFindings(),
          (messages) => !messages.some((message) => message.includes(`${OLD}/stock`)),
        );
      });
    });

    it("and with Deny at last, under which what was allowed goes on and the rest is refused", async () => {
      await whileCalled(async () => {
        await setDefault("Deny");
        await eventually(
          () => caller().call({ url: `${STOCK}/admin` }),
          ({ status }) => status === 403,
        );
      });
      expect((await caller().stopLoad("from-the-start")).failures).toEqual([]);
    });

    it("and the next upgrade of the chart leaves alone what was edited by hand", async () => {
      await stage.helmUpgrade();
      const spec = await stage.cluster.kubectl("get", "meshconfig", "mesh", "-o", "jsonpath={.spec.access}");
      expect(JSON.parse(spec)).toEqual({ default: "Deny", namespaces: [{ name: OLD, default: "Deny" }] });
      await stage.cluster.kubectl("patch", "meshconfig", "mesh", "--type=json", "-p", '[{"op":"remove","path":"/spec/access/namespaces"}]');
      await stage.cluster.kubectl("delete", "namespace", OLD);
    });
  });
}
