/** What a new control plane does while the Lease is still that of one that is gone: its permissions went before it could let go. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiServer, startApiServer } from "../e2e/cluster/api-server.ts";
import { eventually, until } from "../e2e/support/eventually.ts";
import { startControlPlane } from "./testing/control-plane.ts";
import { CHART, run } from "./testing/helm.ts";

describe("a control plane without a leader", () => {
  let folder: string;
  let server: ApiServer;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "seawall-reinstallation-"));
    server = await startApiServer();
    expect(run("helm", ["install", "seawall", CHART, "--kubeconfig", server.kubeconfig]).messages).toBe("");
    kubectl(["wait", "--for=condition=Established", "crd", "-l", "app.kubernetes.io/name=seawall", "--timeout=120s"]);
    const spec = { holderIdentity: "gone_192.0.2.1:15010", leaseDurationSeconds: 36_000, renewTime: "2026-01-01T00:00:00.000000Z" };
    const metadata = { name: "seawall-leader", namespace: "seawall-system" };
    kubectl(["create", "-f", "-"], { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec });
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function kubectl(args: readonly string[], object?: unknown): string {
    const input = object === undefined ? undefined : JSON.stringify(object);
    const { status, output, messages } = run("kubectl", ["--kubeconfig", server.kubeconfig, ...args], input);
    if (status !== 0) throw new Error(messages);
    return output;
  }

  function bundles(): readonly string[] {
    return ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"].map((kind) =>
      Buffer.from(kubectl(["get", kind, "seawall", "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}"]), "base64").toString("utf8"),
    );
  }

  it("is trusted by the API server as soon as it is ready, and gives pods the roots that they start with", async () => {
    expect(bundles()).toEqual(["", ""]);
    const controlPlane = await startControlPlane(server, folder);
    const isReady = (): Promise<boolean> =>
      fetch(`http://127.0.0.1:${controlPlane.adminPort}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until("the control plane is ready", isReady, { context: () => controlPlane.messages.items.join("\n") });
    const [injection, validation] = bundles();
    expect(injection).toMatch(/^-----BEGIN CERTIFICATE-----/);
    expect(validation).toBe(injection);

    kubectl(["create", "namespace", "shop"]);
    kubectl(["label", "namespace", "shop", "seawall.dev/injection=enabled"]);
    const query = ["get", "configmap", "seawall-trust", "-n", "shop", "--ignore-not-found", "-o", "jsonpath={.data.ca\\.pem}"];
    const roots = await eventually("the namespace has the roots", () => kubectl(query) || undefined);
    expect(roots).toBe(injection);
    const holder = kubectl(["get", "lease", "seawall-leader", "-n", "seawall-system", "-o", "jsonpath={.spec.holderIdentity}"]);
    expect(holder).toBe("gone_192.0.2.1:15010");
    controlPlane.child.kill("SIGTERM");
    await controlPlane.ended;
  });
});
