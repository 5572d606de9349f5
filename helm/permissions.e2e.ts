/**
 * A control plane with the chart's permissions and no others, on a real API server that writes down what it asks for: nothing
 * that it asks for is refused, and what it never asked for is listed here with the reason why it is granted nonetheless.
 */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiServer, startApiServer } from "../e2e/cluster/api-server.ts";
import { eventually } from "../e2e/kubernetes/eventually.ts";
import { type AuditEvent, unusedPermissions } from "./permissions.ts";
import { type ControlPlane, startControlPlane } from "./testing/control-plane.ts";
import { CHART, run } from "./testing/helm.ts";

const USER = "system:serviceaccount:seawall-system:seawall";
/** The run below needs none of these. */
const NEEDED_ELSEWHERE = [
  /^create tokenreviews/, // a sidecar connects
  /^get \/openid\/v1\/jwks/, // the same
  /^create meshconfigs/, // asked for by the API server of whoever applies what is not there yet; the request is a patch
  /^update leases/, // the leader stays for some seconds
  /^(?:list|watch) .*\.gateway\.networking\.k8s\.io$/, // the Gateway API is installed
  /^patch .*\/status$/, // an object of that kind exists; one is tried
  /^update configmaps/, // the root is rotated, or somebody changed a bundle
  /^update secrets/, // the intermediate is renewed
  /^get configmaps/, // the Secret is lost, and the trust that was given is compared
];

type Entry = AuditEvent & { readonly responseStatus?: { readonly code?: number } };

describe("a control plane with the chart's permissions alone", () => {
  let folder: string;
  let server: ApiServer;
  let controlPlane: ControlPlane;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "seawall-permissions-"));
    const policy = join(folder, "audit.json");
    await writeFile(policy, JSON.stringify({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "Metadata" }] }));
    server = await startApiServer({
      extraArguments: [`--audit-policy-file=${policy}`, `--audit-log-path=${join(folder, "audit.log")}`],
    });
    expect(run("helm", ["install", "seawall", CHART, "--kubeconfig", server.kubeconfig]).messages).toBe("");
    kubectl("wait", "--for=condition=Established", "crd", "-l", "app.kubernetes.io/name=seawall", "--timeout=120s");
    controlPlane = await startControlPlane(server, folder);
  });
  afterAll(async () => {
    controlPlane.child.kill("SIGTERM");
    await controlPlane.ended;
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function kubectl(...args: string[]): string {
    const { status, output, messages } = run("kubectl", ["--kubeconfig", server.kubeconfig, ...args]);
    if (status !== 0) throw new Error(messages);
    return output;
  }

  async function requests(): Promise<readonly Entry[]> {
    const log = await readFile(join(folder, "audit.log"), "utf8");
    const entries = log.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Entry]));
    return entries.filter(({ user }) => user.username === USER);
  }

  function exists(...args: string[]): boolean {
    return run("kubectl", ["--kubeconfig", server.kubeconfig, "get", ...args]).status === 0;
  }

  it("is refused nothing, and has little that it does not need", async () => {
    await eventually(
      () => Promise.resolve(kubectl("get", "validatingwebhookconfiguration", "seawall", "-o", "jsonpath={.webhooks[0].clientConfig}")),
      (client) => client.includes("caBundle"),
    );
    expect(kubectl("get", "meshconfig", "mesh", "-o", "jsonpath={.spec.access.default}")).toBe("Deny");
    kubectl("create", "namespace", "shop");
    kubectl("label", "namespace", "shop", "seawall.dev/injection=enabled");
    await eventually(
      () => Promise.resolve(exists("configmap", "seawall-trust", "-n", "shop")),
      (there) => there,
    );
    // No Service leads to a control plane here that the API server could ask.
    kubectl("delete", "validatingwebhookconfiguration", "seawall");
    const mutualTls = {
      apiVersion: "seawall.dev/v1alpha1",
      kind: "MutualTLSPolicy",
      metadata: { name: "strict", namespace: "shop" },
      spec: { targetRefs: [{ kind: "Namespace", name: "shop" }], mode: "Strict" },
    };
    run("kubectl", ["--kubeconfig", server.kubeconfig, "apply", "-f", "-"], JSON.stringify(mutualTls));
    kubectl("wait", "-n", "shop", "mutualtlspolicy/strict", "--for=condition=Accepted", "--timeout=120s");
    kubectl("label", "namespace", "shop", "seawall.dev/injection-");
    await eventually(
      () => Promise.resolve(exists("configmap", "seawall-trust", "-n", "shop")),
      (there) => !there,
    );

    const seen = await requests();
    const refused = seen.filter(({ responseStatus }) => responseStatus?.code === 403);
    expect(refused.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
    const unused = unusedPermissions(seen).map(({ verb, what }) => `${verb} ${what}`);
    expect(unused.filter((line) => !NEEDED_ELSEWHERE.some((pattern) => pattern.test(line)))).toEqual([]);
    expect(unused).not.toContain("patch mutualtlspolicies.seawall.dev/status");
  });
});
