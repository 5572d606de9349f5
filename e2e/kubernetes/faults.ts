import { describe, expect, it } from "@jest/globals";
import { eventually } from "./eventually.ts";
import { withTraffic } from "./restarts.ts";
import { allowOrders, ORDERS, SHOP, type Stage, SYSTEM } from "./stage.ts";

/** What is written wrongly, and what goes away. */
export function faults(stage: Stage): void {
  describe("what is wrong is said, and lets nobody in", () => {
    it("refuses a policy with a field that does not exist, and names the field", async () => {
      const { status, stderr } = await applying(
        stage,
        allowOrders("typo", "web", "/orders").replace("action: Allow", "action: Allow\n  actoin: Deny"),
      );
      expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('unknown field "spec.actoin"') as unknown });
    });

    it("refuses a policy whose mistakes only Seawall can see, all of them at once and with their places", async () => {
      const mistaken = allowOrders("mistaken", "web", "/orders/{id}/{id}").replace("- GET", "- GTE");
      const { status, stderr } = await applying(stage, mistaken);
      expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringMatching(/methods\[0\][\s\S]*GET/) as unknown });
      expect(stderr).toContain("paths[0]");
    });

    it("accepts a policy for a Service that is not there yet, and says that it is missing", async () => {
      await stage.cluster.apply(allowOrders("early", "web", "/orders").replace("name: orders\n  action", "name: later\n  action"));
      const message = await eventually(
        () => condition(stage, "accesspolicy/early", "ResolvedRefs"),
        ({ status }) => status === "False",
      );
      expect(message).toMatchObject({ reason: "TargetNotFound", message: expect.stringContaining("shop/later") as unknown });
      await stage.cluster.kubectl("delete", "accesspolicy", "early", "-n", SHOP);
    });

    it("puts back the Secret of the certificate authority when somebody deletes it, with the same root", async () => {
      const trust = (): Promise<string> =>
        stage.cluster.kubectl("get", "configmap", "seawall-trust", "-n", SYSTEM, "-o", "jsonpath={.data.ca\\.pem}");
      const root = (): Promise<string> =>
        stage.cluster.kubectl("get", "secret", "seawall-ca", "-n", SYSTEM, "-o", "jsonpath={.data.root\\.pem}");
      const before = { root: await root(), trust: await trust() };
      expect(before.root).not.toBe("");
      await withTraffic(stage, async () => {
        await stage.cluster.kubectl("delete", "secret", "seawall-ca", "-n", SYSTEM);
        await eventually(
          () => stage.cluster.run(["kubectl", "get", "secret", "seawall-ca", "-n", SYSTEM, "-o", "name"]),
          ({ status }) => status === 0,
        );
      });
      expect({ root: await root(), trust: await trust() }).toEqual(before);
    });

    it("without any control plane: sidecars enforce on, nobody starts unprotected, and other namespaces notice nothing", async () => {
      await withTraffic(stage, async () => {
        await stage.cluster.kubectl("scale", "deployment/seawall", "-n", SYSTEM, "--replicas=0");
        try {
          await stage.cluster.kubectl(
            "wait",
            "pods",
            "-n",
            SYSTEM,
            "-l",
            "app.kubernetes.io/name=seawall",
            "--for=delete",
            "--timeout=180s",
          );
          // So that whoever comes next need not wait for it to run out.
          expect(await stage.cluster.kubectl("get", "lease", "seawall-leader", "-n", SYSTEM, "-o", "jsonpath={.spec.holderIdentity}")).toBe(
            "",
          );
          expect(await stage.stranger.call({ url: `${ORDERS}/orders` })).toMatchObject({ status: 403 });
          const injected = await stage.cluster.run([
            "kubectl",
            "run",
            "late",
            "-n",
            SHOP,
            "--image=localhost/app:1",
            "--image-pull-policy=Never",
          ]);
          expect(injected).toMatchObject({
            status: 1,
            stderr: expect.stringContaining('failed calling webhook "injection.seawall.dev"') as unknown,
          });
          await stage.cluster.kubectl("run", "bystander", "-n", "default", "--image=localhost/app:1", "--image-pull-policy=Never");
          await stage.cluster.kubectl("wait", "pod/bystander", "-n", "default", "--for=condition=Ready", "--timeout=180s");
          expect(await applying(stage, allowOrders("unchecked", "stranger", "/**"))).toMatchObject({
            status: 1,
            stderr: expect.stringContaining('failed calling webhook "policies.seawall.dev"') as unknown,
          });
        } finally {
          await stage.cluster.kubectl("scale", "deployment/seawall", "-n", SYSTEM, "--replicas=2");
        }
        await stage.controlPlaneIsBack();
      });
      await stage.cluster.kubectl("delete", "pod", "bystander", "-n", "default", "--now");
    });
  });
}

function applying(stage: Stage, manifest: string): ReturnType<Stage["cluster"]["run"]> {
  return stage.cluster.run(["kubectl", "apply", "-f", "-"], { input: manifest });
}

interface Condition {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** A condition of an object of the shop; `Unknown` while there is none. */
async function condition(stage: Stage, object: string, type: string): Promise<Condition> {
  const text = await stage.cluster.kubectl("get", "-n", SHOP, object, "-o", `jsonpath={.status.conditions[?(@.type=="${type}")]}`);
  return text === "" ? { status: "Unknown", reason: "", message: "" } : (JSON.parse(text) as Condition);
}
