/** `seawall check` against a real API server, on which nobody runs a pod. What only a running mesh can show is in e2e/. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { writeFile } from "node:fs/promises";
import { type ApiServer, startApiServer } from "../../e2e/cluster/api-server.ts";
import { gatewayApi } from "../../e2e/conformance/gateway-api.ts";
import { CHART, run } from "../../helm/testing/helm.ts";
import type { SeawallResult } from "../testing/run-seawall.ts";
import { seawall } from "../testing/seawall-in-process.ts";
import type { Finding } from "./finding.ts";

describe("seawall check", () => {
  let server: ApiServer;
  beforeAll(async () => {
    server = await startApiServer();
  });
  afterAll(() => server.stop());

  function check(...args: string[]): Promise<SeawallResult> {
    return seawall(["check", "--kubeconfig", server.kubeconfig, ...args]);
  }
  function kubectl(args: readonly string[], object?: unknown): string {
    const { output, messages, status } = run(
      "kubectl",
      ["--kubeconfig", server.kubeconfig, ...args],
      object === undefined ? undefined : JSON.stringify(object),
    );
    if (status !== 0) throw new Error(messages);
    return output;
  }
  async function findings(area: string): Promise<readonly Finding[]> {
    const { output } = await check("-o", "json");
    return (JSON.parse(output) as { readonly findings: readonly Finding[] }).findings.filter((finding) => finding.area === area);
  }

  it("says how to install what is not installed", async () => {
    const { code, output } = await check("--installation");
    expect(code).toBe(1);
    expect(output).toContain(
      "✗ control plane  there is no Deployment seawall-system/seawall\n                 -> install it: helm install seawall ./helm\n",
    );
    expect(output).toMatch(/✗ kinds +the API server does not know MeshConfig/);
  });

  it("says what keeps an installation from working", async () => {
    expect(run("helm", ["install", "seawall", CHART, "--kubeconfig", server.kubeconfig]).messages).toBe("");
    kubectl(["wait", "--for=condition=Established", "crd", "-l", "app.kubernetes.io/name=seawall", "--timeout=120s"]);
    expect(await findings("control plane")).toEqual([
      expect.objectContaining({ state: "problem", message: "0 of 2 replicas ready: no pod was made" }),
    ]);
    expect(await findings("kinds")).toEqual([
      expect.objectContaining({ state: "ok" }),
      expect.objectContaining({ state: "ok", message: expect.stringContaining("Gateway API") as unknown }),
    ]);
    expect(await findings("leader")).toEqual([expect.objectContaining({ state: "problem" })]);
    expect((await findings("webhooks")).map(({ state, message }) => `${state} ${message}`)).toEqual([
      "problem injection.seawall.dev has no caBundle, so that every call of it fails",
      "problem policies.seawall.dev has no caBundle, so that every call of it fails",
      expect.stringMatching(/^problem policies cannot be applied: .*failed calling webhook/),
      "warning injection is not tried: no namespace is labelled",
    ]);
  });

  it("says which pods are outside of the mesh, and why", async () => {
    kubectl(["create", "namespace", "shop"]);
    const pod = (name: string, rest: object, metadata: object = {}): unknown => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "shop", ...metadata },
      spec: { containers: [{ name: "app", image: "app" }], ...rest },
    });
    const sidecar = { initContainers: [{ name: "seawall-proxy", image: "s", restartPolicy: "Always" }] };
    kubectl(["create", "-f", "-"], pod("before", {}));
    kubectl(["create", "-f", "-"], pod("node-agent", { hostNetwork: true }));
    kubectl(["create", "-f", "-"], pod("by-choice", {}, { annotations: { "seawall.dev/inject": "false" } }));
    kubectl(["create", "-f", "-"], pod("old", sidecar, { annotations: { "seawall.dev/injected": "0.0.1" } }));
    kubectl(["label", "namespace", "shop", "seawall.dev/injection=enabled", "pod-security.kubernetes.io/enforce=restricted"]);
    expect((await findings("workloads")).map(({ state, message }) => `${state} ${message}`)).toEqual([
      "ok 1 pod with sidecar in 1 namespace",
      expect.stringContaining("problem shop enforces Pod Security's restricted level"),
      "warning 1 pod of shop without sidecar, outside of every policy: before",
      "warning node-agent of shop use the host's network, and so have no sidecar: no policy protects them",
      "warning 1 sidecar of shop of another version than the control plane (0.1.0): old",
    ]);
  });

  it("says in which namespaces no sidecar can start, and what to do about each", async () => {
    const roots = (namespace: string, pem: string, labels: object): unknown => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "seawall-trust", namespace, labels },
      data: { "ca.pem": pem },
    });
    const own = { "app.kubernetes.io/managed-by": "seawall" };
    const made = new Map<string, unknown>([
      ["seawall-system", roots("seawall-system", "the root", own)],
      ["well", roots("well", "the root", own)],
      ["other", roots("other", "another root", own)],
      ["foreign", roots("foreign", "the root", {})],
    ]);
    for (const [namespace, map] of made) {
      if (namespace !== "seawall-system") kubectl(["create", "namespace", namespace]);
      kubectl(["create", "-f", "-"], map);
    }
    kubectl(["label", "namespace", "well", "other", "foreign", "seawall.dev/injection=enabled"]);
    expect((await findings("trust")).map(({ state, message }) => `${state} ${message}`)).toEqual([
      "problem no pod can start in foreign: its ConfigMap seawall-trust was not made by Seawall and stays as it is",
      "problem the sidecars of other trust other roots than the control plane has",
      "problem no pod can start in shop: it has no ConfigMap seawall-trust",
    ]);
    kubectl(["label", "namespace", "other", "foreign", "shop", "seawall.dev/injection-"]);
    expect((await findings("trust")).map(({ state, message }) => `${state} ${message}`)).toEqual([
      "ok 1 namespace with the roots of the mesh",
    ]);
    kubectl(["label", "namespace", "well", "seawall.dev/injection-"]);
    kubectl(["label", "namespace", "shop", "seawall.dev/injection=enabled"]);
    kubectl(["delete", "configmap", "seawall-trust", "-n", "seawall-system"]);
  });

  it("says that policies are taken unchecked when nobody checks them", async () => {
    kubectl(["delete", "validatingwebhookconfiguration", "seawall"]);
    expect((await findings("webhooks")).map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        "there is no validatingwebhookconfigurations seawall",
        "a policy with a mistake is taken: nobody checks policies when they are applied",
      ]),
    );
  });

  it("says which policies do not hold, are not enforced everywhere, or were not looked at", async () => {
    const policy = (name: string): unknown => ({
      apiVersion: "seawall.dev/v1alpha1",
      kind: "AccessPolicy",
      metadata: { name, namespace: "shop" },
      spec: { targetRefs: [{ kind: "Namespace", name: "shop" }], action: "Allow", rules: [{ name: "all" }] },
    });
    const condition = (type: string, status: string, message: string): unknown => ({
      type,
      status,
      message,
      reason: "Because",
      observedGeneration: 1,
      lastTransitionTime: "2026-01-01T00:00:00Z",
    });
    const conditions = new Map([
      ["invalid", [condition("Accepted", "False", "no such issuer")]],
      ["partly", [condition("Accepted", "True", ""), condition("Programmed", "False", "1 of 2 sidecars")]],
      ["well", [condition("Accepted", "True", ""), condition("Programmed", "True", "2 of 2 sidecars")]],
    ]);
    for (const name of ["invalid", "partly", "well", "new"]) kubectl(["create", "-f", "-"], policy(name));
    for (const [name, list] of conditions) {
      const patch = JSON.stringify({ status: { conditions: list } });
      kubectl(["patch", "accesspolicy", name, "-n", "shop", "--subresource=status", "--type=merge", "-p", patch]);
    }
    expect((await findings("policies")).map(({ state, message }) => `${state} ${message}`)).toEqual([
      "problem AccessPolicy shop/invalid does not hold: no such issuer",
      "warning AccessPolicy shop/new has no status for what it says now",
      "problem AccessPolicy shop/partly is not enforced everywhere: 1 of 2 sidecars",
    ]);
  });

  it("says which routes do nothing, and leaves those of other controllers alone", async () => {
    expect((await findings("routes")).map(({ message }) => message)).toEqual(["there are none on Services"]);
    kubectl(["apply", "--server-side", "-f", gatewayApi().crds]);
    kubectl(["wait", "--for=condition=Established", "crd/httproutes.gateway.networking.k8s.io", "--timeout=120s"]);
    const parentRef = { group: "", kind: "Service", name: "orders" };
    const parent = (controllerName: string, type: string, message: string): unknown => ({
      parentRef,
      controllerName,
      conditions: [{ type, status: "False", reason: "Because", message, lastTransitionTime: "2026-01-01T00:00:00Z" }],
    });
    kubectl(["create", "-f", "-"], {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "split", namespace: "shop" },
      spec: { parentRefs: [parentRef] },
    });
    const parents = [
      parent("seawall.dev/mesh", "Accepted", "no such port"),
      parent("seawall.dev/mesh", "ResolvedRefs", "no Service canary"),
      parent("example.com/edge", "Accepted", "not ours"),
    ];
    const patch = JSON.stringify({ status: { parents } });
    kubectl(["patch", "httproute", "split", "-n", "shop", "--subresource=status", "--type=merge", "-p", patch]);
    expect((await findings("routes")).map(({ state, message }) => `${state} ${message}`)).toEqual([
      "problem HTTPRoute shop/split on orders does nothing: no such port",
      "warning HTTPRoute shop/split on orders names what it cannot reach: no Service canary",
    ]);
  });

  it("says which permission is missing, and looks at the rest", async () => {
    kubectl(["create", "serviceaccount", "nobody", "-n", "default"]);
    kubectl(["create", "clusterrole", "reads-pods", "--verb=list", "--resource=namespaces,pods"]);
    kubectl(["create", "clusterrolebinding", "nobody", "--clusterrole=reads-pods", "--serviceaccount=default:nobody"]);
    const token = kubectl(["create", "token", "nobody", "-n", "default"]).trim();
    const config = kubectl(["config", "view", "--raw", "--minify", "-o", "json"]);
    const { users, ...rest } = JSON.parse(config) as { readonly users: readonly { readonly name: string }[] };
    const file = `${server.kubeconfig}-nobody`;
    await writeFile(file, JSON.stringify({ ...rest, users: users.map(({ name }) => ({ name, user: { token } })) }));
    const { code, output } = await seawall(["check", "--kubeconfig", file]);
    expect(code).toBe(1);
    expect(output).toMatch(/\? control plane +not looked at: deployments\.apps "seawall" is forbidden/);
    expect(output).toMatch(/! workloads +1 pod of shop without sidecar/);
  });

  it("says what is wrong with a kubeconfig that leads nowhere", async () => {
    const { code, messages } = await seawall(["check", "--kubeconfig", "/nowhere/config"]);
    expect([code, messages]).toEqual([1, expect.stringContaining("/nowhere/config not found")]);
  });
});
