import { describe, expect, it } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { SHOP, type Stage, SYSTEM } from "./stage.ts";

/** A private key or a token, as they are and as a Secret has them (base64 of "-----BEGIN ", of `PRIVATE KEY` after an algorithm or none). */
const TELLING = /PRIVATE KEY|eyJ[\w-]+\.eyJ|LS0tLS1CRUdJTiB(QUklW|FQyBQ|SU0EgU)|ZXlK[\w+/]{20}/;

/** The commands of somebody who has a kubeconfig, asked of a mesh that is well and has the policy `orders`. */
export function commandLine(stage: Stage): void {
  describe("the seawall command with a kubeconfig", () => {
    async function podsOf(app: string): Promise<readonly string[]> {
      const names = await stage.cluster.kubectl("get", "pods", "-n", SHOP, "-l", `app=${app}`, "-o", "jsonpath={.items[*].metadata.name}");
      return names.trim().split(" ");
    }

    it("lists the sidecars of all replicas of the control plane, each once and synced", async () => {
      // A change somewhere in the mesh may be on its way to one of them.
      const { stdout, stderr } = await eventually(
        () => stage.seawall("proxy", "status", "-n", SHOP, "-o", "json"),
        ({ status }) => status === 0,
      );
      expect(stderr).toBe("");
      const sidecars = JSON.parse(stdout) as readonly { readonly pod: string; readonly state: string }[];
      const listed = sidecars.map(({ pod, state }) => `${pod} ${state}`);
      const pods = [...(await podsOf("orders")), ...(await podsOf("stranger")), ...(await podsOf("web"))];
      expect(listed).toEqual(expect.arrayContaining(pods.map((pod) => `${SHOP}/${pod} synced`)));
      expect(new Set(listed).size).toBe(listed.length);
    });

    it("shows what a sidecar itself runs, and that it is what the control plane means", async () => {
      for (const app of ["orders", "web"]) {
        const [pod = ""] = await podsOf(app);
        const { stdout } = await eventually(
          () => stage.seawall("proxy", "config", `${SHOP}/${pod}`),
          ({ status }) => status === 0,
        );
        expect({ app, stdout }).toMatchObject({ stdout: expect.stringMatching(/listeners +\d+ +as intended/) as unknown });
      }
    });

    it("shows no key of a sidecar", async () => {
      const [pod = ""] = await podsOf("web");
      const { stdout } = await stage.seawall("proxy", "config", `${SHOP}/${pod}`, "--raw");
      expect(stdout).toMatch(/"private_key": "\[redacted\]"/);
      expect(stdout).not.toMatch(TELLING);
    });

    it("says of a pod without sidecar why it has none to show", async () => {
      const pods = await stage.cluster.kubectl("get", "pods", "-n", SYSTEM, "-l", "app.kubernetes.io/name=seawall", "-o", "name");
      const [pod = ""] = pods.trim().split("\n");
      const { status, stderr } = await stage.seawall("proxy", "config", `${SYSTEM}/${pod.replace("pod/", "")}`);
      expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining("has no sidecar") as unknown });
    });

    it("explains a permission and a refusal as the control plane would decide them", async () => {
      const allowed = await stage.seawall("explain", "--from", "shop/web", "--to", "orders.shop", "GET", "/orders");
      expect(allowed).toMatchObject({ status: 0, stdout: expect.stringContaining("ALLOWED by accesspolicy/shop/orders/reads") as unknown });
      const refused = await stage.seawall("explain", "--from", "shop/stranger", "--to", "orders.shop", "GET", "/orders");
      expect(refused).toMatchObject({ status: 1, stdout: expect.stringContaining("REFUSED with 403") as unknown });
    });

    it("says with check that pods are outside of the mesh when their namespace was labelled after they were made", async () => {
      await stage.cluster.apply(`apiVersion: v1
kind: Namespace
metadata: { name: latecomer }
---
apiVersion: v1
kind: Pod
metadata: { name: early, namespace: latecomer }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: app, image: localhost/app:1, imagePullPolicy: Never }]
`);
      await stage.cluster.kubectl("label", "namespace", "latecomer", "seawall.dev/injection=enabled");
      const { status, stdout } = await stage.seawall("check");
      expect({ status, stdout }).toMatchObject({
        status: 0,
        stdout: expect.stringContaining("1 pod of latecomer without sidecar") as unknown,
      });
      await stage.cluster.kubectl("label", "namespace", "latecomer", "pod-security.kubernetes.io/enforce=baseline");
      const refused = await stage.seawall("check", "-o", "json");
      expect({ status: refused.status, stdout: refused.stdout }).toMatchObject({
        status: 1,
        stdout: expect.stringContaining("latecomer enforces Pod Security's baseline level") as unknown,
      });
      await stage.cluster.kubectl("delete", "namespace", "latecomer");
    });

    it("collects a bug report that lets nobody in", async () => {
      const archive = join(stage.folder, "report.tar.gz");
      const { status, stderr } = await stage.seawall("bug-report", "-n", SHOP, "-w", archive);
      expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining("the sidecar of shop/web-") as unknown });
      const unpacked = join(stage.folder, "report");
      mkdirSync(unpacked);
      execFileSync("tar", ["-xzf", archive, "-C", unpacked, "--strip-components=1"]);
      const files = readdirSync(unpacked, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const paths = files.map(({ parentPath, name }) => join(parentPath, name));
      expect(paths.map((path) => path.slice(unpacked.length + 1))).toEqual(
        expect.arrayContaining([
          "check.json",
          "policies/accesspolicies.json",
          expect.stringMatching(/^sidecars\/shop\/web-.*\/config\.json$/),
        ]),
      );
      const telling = paths.filter((path) => TELLING.test(readFileSync(path, "utf8")));
      expect(telling).toEqual([]);
      const policies = JSON.parse(readFileSync(join(unpacked, "policies", "accesspolicies.json"), "utf8")) as unknown;
      expect(policies).toEqual(
        expect.arrayContaining([expect.objectContaining({ metadata: expect.objectContaining({ name: "orders" }) as unknown })]),
      );
    });

    it("says the same from inside, by helm test", async () => {
      const tested = await stage.cluster.helm("test", "seawall", "-n", SYSTEM, "--timeout", "2m");
      expect(tested).toMatch(/TEST SUITE: +seawall-test\n[\s\S]*Phase: +Succeeded/);
    });
  });
}
