/** The source and a real API server: what is emitted, and that nothing is emitted twice. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type ApiServer, startApiServer } from "../../../e2e/cluster/api-server.ts";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import { connectKubernetes, type KubernetesConnection } from "../../kubernetes/connect.ts";
import { FollowedCluster, type FollowOptions } from "./testing/followed-cluster.ts";
import { createNamespace, deletePod, guard, guardsIn, installGuards, pod, setPodStatus } from "./testing/objects.ts";

let server: ApiServer;
let connection: KubernetesConnection;
let api: KubernetesApi;
beforeAll(async () => {
  server = await startApiServer();
  connection = await connectKubernetes({ kubeconfig: server.kubeconfig });
  api = connection.api;
});
afterAll(async () => {
  connection.close();
  await server.stop();
});

let last = 0;
async function freshNamespace(): Promise<string> {
  const name = `shop-${++last}`;
  await createNamespace(api, name);
  return name;
}

async function follow(options: Omit<FollowOptions, "api"> = {}): Promise<FollowedCluster> {
  const cluster = new FollowedCluster({ api, ...options });
  await cluster.untilWatching();
  return cluster;
}

const podsIn = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`;

describe("a kind that is not installed", () => {
  it("is empty, said once, and followed from the moment when its CRD comes", async () => {
    await using cluster = await follow();
    expect(cluster.state("Guard")).toBe("Absent");
    await cluster.until(() => cluster.count("Guard Absent") >= 3);
    expect(cluster.logged.filter((line) => line.includes("Guard"))).toEqual([
      "warn Guard of seawall.dev/v1alpha1 is not installed: there are none until its CRD is",
    ]);
    const namespace = await freshNamespace();
    await installGuards(api);
    await cluster.until(() => cluster.logged.includes("info Guard of seawall.dev/v1alpha1 is installed now"));
    await api.create({ path: guardsIn(namespace) }, guard("door"));
    await cluster.until(() => cluster.entry(`Guard/${namespace}/door`) !== undefined);
    expect(cluster.entry(`Guard/${namespace}/door`)).toMatchObject({ state: "valid", object: { spec: { action: "Allow" } } });
  });
});

describe("objects", () => {
  it("are read page by page, none twice and none left out at a boundary", async () => {
    const namespace = await freshNamespace();
    for (let index = 0; index < 10; index++) await api.create({ path: podsIn(namespace) }, pod(`p${index}`));
    for (const pageSize of [1, 3, 5, 10, 11]) {
      await using cluster = await follow({ kinds: ["Pod"], timing: { pageSize } });
      expect(cluster.keys("Pod").filter((key) => key.startsWith(`Pod/${namespace}/`))).toEqual(
        Array.from({ length: 10 }, (_, index) => `Pod/${namespace}/p${index}`),
      );
    }
  });

  it("keep what the house reads, and nothing of what others keep there", async () => {
    const namespace = await freshNamespace();
    await api.create(
      { path: podsIn(namespace) },
      pod("web", { labels: { app: "web" }, annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}", mine: "1" } }),
    );
    await setPodStatus(api, namespace, "web", {
      phase: "Running",
      podIP: "10.0.0.7",
      hostIP: "192.0.2.10",
      conditions: [
        { type: "Ready", status: "True", lastProbeTime: null },
        { type: "Initialized", status: "True" },
      ],
    });
    await using cluster = await follow({ kinds: ["Pod"] });
    const entry = cluster.entry(`Pod/${namespace}/web`);
    expect(entry?.state === "valid" && entry.object).toEqual({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "web",
        namespace,
        uid: expect.any(String),
        creationTimestamp: expect.any(String),
        generation: 1,
        labels: { app: "web" },
        annotations: { mine: "1" },
      },
      spec: {
        serviceAccountName: "web",
        containers: [{ name: "app", ports: [{ containerPort: 8080, protocol: "TCP" }] }],
      },
      status: {
        phase: "Running",
        podIP: "10.0.0.7",
        podIPs: [{ ip: "10.0.0.7" }],
        conditions: [{ type: "Ready", status: "True" }],
      },
    });
  });

  it("that change where nobody reads are no news", async () => {
    const namespace = await freshNamespace();
    await api.create({ path: podsIn(namespace) }, pod("web"));
    await using cluster = await follow({ kinds: ["Pod"] });
    const seen = cluster.changes.length;
    const events = cluster.count("Pod MODIFIED");
    await setPodStatus(api, namespace, "web", { conditions: [{ type: "DisruptionTarget", status: "False" }] });
    await setPodStatus(api, namespace, "web", { phase: "Running" });
    await cluster.until(() => cluster.count("Pod MODIFIED") === events + 2 && cluster.changes.length > seen);
    expect(cluster.changes.slice(seen)).toEqual([`updated Pod/${namespace}/web`]);
    expect(cluster.entry(`Pod/${namespace}/web`)).toMatchObject({ object: { status: { phase: "Running" } } });
  });

  it("of a pod go when it has ended, and are not read when it had ended before", async () => {
    const namespace = await freshNamespace();
    for (const name of ["done", "failed", "runs"]) await api.create({ path: podsIn(namespace) }, pod(name));
    await setPodStatus(api, namespace, "done", { phase: "Succeeded" });
    await using cluster = await follow({ kinds: ["Pod"] });
    expect(cluster.keys("Pod").filter((key) => key.includes(namespace))).toEqual([`Pod/${namespace}/failed`, `Pod/${namespace}/runs`]);
    await setPodStatus(api, namespace, "failed", { phase: "Failed" });
    await cluster.until(() => cluster.entry(`Pod/${namespace}/failed`) === undefined);
    expect(cluster.entry(`Pod/${namespace}/runs`)).toBeDefined();
  });

  it("deleted and made anew under the same name are others", async () => {
    const namespace = await freshNamespace();
    await api.create({ path: podsIn(namespace) }, pod("web", { labels: { v: "1" } }));
    await using cluster = await follow({ kinds: ["Pod"] });
    const uid = (): string | undefined => {
      const entry = cluster.entry(`Pod/${namespace}/web`);
      return entry?.state === "valid" ? entry.object.metadata.uid : undefined;
    };
    const former = uid();
    await deletePod(api, namespace, "web");
    await api.create({ path: podsIn(namespace) }, pod("web", { labels: { v: "1" } }));
    await cluster.until(() => uid() !== undefined && uid() !== former);
  });
});

describe("an object that does not hold", () => {
  it("is invalid from the start, without a last good state", async () => {
    const namespace = await freshNamespace();
    await api.create({ path: guardsIn(namespace) }, guard("door", { action: "Alow", rules: [], extra: 1 }));
    await using cluster = await follow({ kinds: ["Guard"] });
    const entry = cluster.entry(`Guard/${namespace}/door`);
    expect(entry).toMatchObject({
      state: "invalid",
      identity: { apiVersion: "seawall.dev/v1alpha1", kind: "Guard", namespace, name: "door" },
      origin: { file: server.url, line: 0 },
      partial: { spec: { action: "Alow" } },
    });
    expect(entry).not.toHaveProperty("lastGood");
    expect(entry?.state === "invalid" && entry.violations.map(({ path, reason }) => `${path} ${reason}`).sort()).toEqual([
      "spec.action Invalid",
      "spec.extra UnknownField",
    ]);
  });

  it("keeps the last good state until it holds again, but not when it is another object", async () => {
    const namespace = await freshNamespace();
    const path = `${guardsIn(namespace)}/door`;
    const key = `Guard/${namespace}/door`;
    await api.create({ path: guardsIn(namespace) }, guard("door"));
    await using cluster = await follow({ kinds: ["Guard"] });
    const spec = async (changed: object): Promise<void> => {
      await api.patch({ path }, "application/merge-patch+json", { spec: changed });
    };
    await spec({ action: "Alow" });
    await cluster.until(() => cluster.entry(key)?.state === "invalid");
    expect(cluster.entry(key)).toMatchObject({ lastGood: { spec: { action: "Allow" } } });
    await spec({ rules: "none" });
    await cluster.until(() => JSON.stringify(cluster.entry(key)).includes('"rules":"none"'));
    expect(cluster.entry(key)).toMatchObject({ state: "invalid", lastGood: { spec: { action: "Allow", rules: [] } } });
    await api.delete({ path });
    await api.create({ path: guardsIn(namespace) }, guard("door", { action: "Alow" }));
    await cluster.until(() => {
      const entry = cluster.entry(key);
      return entry?.state === "invalid" && entry.lastGood === undefined;
    });
    await api.replace({ path }, { ...guard("door"), metadata: { name: "door", resourceVersion: await versionOf(path) } });
    await cluster.until(() => cluster.entry(key)?.state === "valid");
  });

  it("is not news again when only its status is written", async () => {
    const namespace = await freshNamespace();
    const path = `${guardsIn(namespace)}/door`;
    await api.create({ path: guardsIn(namespace) }, guard("door"));
    await using cluster = await follow({ kinds: ["Guard"] });
    const seen = cluster.changes.length;
    await api.patch({ path: `${path}/status` }, "application/merge-patch+json", { status: { conditions: [] } });
    await api.create({ path: guardsIn(namespace) }, guard("window"));
    await cluster.until(() => cluster.changes.length > seen);
    expect(cluster.changes.slice(seen)).toEqual([`added Guard/${namespace}/window`]);
  });
});

async function versionOf(path: string): Promise<string> {
  return ((await api.get({ path })) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
}
