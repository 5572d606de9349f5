/** A real API server with Seawall's kinds, and what a test does with it. */
import { execFile, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { type ApiServer, startApiServer } from "../../../e2e/cluster/api-server.ts";
import { until } from "../../../e2e/support/eventually.ts";
import { clusterProgram } from "../../../tools/cluster/fetch-cluster-tools.ts";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import { connectKubernetes, type KubernetesConnection } from "../../kubernetes/connect.ts";
import type { Condition } from "../condition.ts";

const CRDS = join(import.meta.dirname, "..", "..", "..", "helm", "files", "crds");

interface StatusObject {
  readonly metadata: { readonly name: string; readonly uid: string; readonly generation: number; readonly resourceVersion: string };
  readonly status?: {
    readonly conditions?: readonly (Condition & { readonly observedGeneration?: number; readonly lastTransitionTime: string })[];
    readonly ancestors?: readonly unknown[];
    readonly parents?: readonly unknown[];
    readonly sidecars?: { readonly affected: number; readonly programmed: number };
  };
}

interface CustomResourceDefinition {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

export class StatusCluster {
  readonly api: KubernetesApi;
  readonly #server: ApiServer;
  readonly #connection: KubernetesConnection;

  private constructor(server: ApiServer, connection: KubernetesConnection) {
    this.#server = server;
    this.#connection = connection;
    this.api = connection.api;
  }

  static async start(): Promise<StatusCluster> {
    const server = await startApiServer();
    const cluster = new StatusCluster(server, await connectKubernetes({ kubeconfig: server.kubeconfig }));
    const files = readdirSync(CRDS).map((file) => parse(readFileSync(join(CRDS, file), "utf8")) as { metadata: { name: string } });
    for (const crd of files) await cluster.install(crd);
    return cluster;
  }

  async stop(): Promise<void> {
    this.#connection.close();
    await this.#server.stop();
  }

  restart(): Promise<void> {
    return this.#server.restart();
  }

  async install(crd: { readonly metadata: { readonly name: string } }): Promise<void> {
    const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    await this.api.create({ path }, crd);
    const isEstablished = async (): Promise<boolean> => {
      const { status } = (await this.api.get({ path: `${path}/${crd.metadata.name}` })) as CustomResourceDefinition;
      return status?.conditions?.some((condition) => condition.type === "Established" && condition.status === "True") ?? false;
    };
    await until(`${crd.metadata.name} is established`, isEstablished);
  }

  /** A namespace of its own with the Services `orders` and `web`. */
  async namespace(name: string): Promise<void> {
    await this.api.create({ path: "/api/v1/namespaces" }, { metadata: { name } });
    for (const service of ["orders", "web"]) {
      const spec = { selector: { app: service }, ports: [{ name: "http", port: 80, targetPort: 8080 }] };
      await this.api.create({ path: `/api/v1/namespaces/${name}/services` }, { metadata: { name: service }, spec });
    }
  }

  /** A running, injected pod of an application; gives its UID. */
  async pod(namespace: string, name: string, phase = "Running"): Promise<string> {
    const app = name.replace(/-\d+$/, "");
    const path = `/api/v1/namespaces/${namespace}/pods`;
    const proxy = { name: "seawall-proxy", image: "seawall/sidecar", restartPolicy: "Always" };
    const containers = [{ name: "app", image: "app", ports: [{ name: "http", containerPort: 8080 }] }];
    const spec = { serviceAccountName: app, initContainers: [{ name: "seawall-redirect", image: "seawall/sidecar" }, proxy], containers };
    const made = (await this.api.create({ path }, { metadata: { name, labels: { app } }, spec })) as StatusObject;
    await this.setPhase(namespace, name, phase);
    return made.metadata.uid;
  }

  async setPhase(namespace: string, name: string, phase: string): Promise<void> {
    const ip = `10.1.${name.length}.${name.charCodeAt(name.length - 1)}`;
    const status = { phase, podIP: ip, podIPs: [{ ip }], conditions: [{ type: "Ready", status: "True" }] };
    await this.api.patch({ path: `/api/v1/namespaces/${namespace}/pods/${name}/status` }, "application/merge-patch+json", { status });
  }

  /** Creates an AccessPolicy, or changes its spec. */
  async allow(namespace: string, name: string, more: { target?: string; from?: string; rules?: readonly object[] } = {}): Promise<void> {
    const { target = "orders", from = "web", rules } = more;
    const spec = {
      targetRefs: [{ kind: "Service", name: target }],
      action: "Allow",
      rules: rules ?? [{ name: "callers", from: [{ serviceAccounts: [from] }], to: [{ methods: ["GET"] }] }],
    };
    const path = this.path(namespace, "accesspolicies");
    const exists = await this.api.get({ path: `${path}/${name}` }).catch(() => undefined);
    if (exists === undefined)
      await this.api.create({ path }, { apiVersion: "seawall.dev/v1alpha1", kind: "AccessPolicy", metadata: { name }, spec });
    else await this.api.patch({ path: `${path}/${name}` }, "application/merge-patch+json", { spec });
  }

  path(namespace: string, plural: string): string {
    return `/apis/seawall.dev/v1alpha1/namespaces/${namespace}/${plural}`;
  }

  async policy(namespace: string, name: string): Promise<StatusObject> {
    return (await this.api.get({ path: `${this.path(namespace, "accesspolicies")}/${name}` })) as StatusObject;
  }

  /** A condition in short: `True Programmed: 1 of 1 sidecars @2`, with the generation that it is about. */
  async condition(namespace: string, name: string, type: Condition["type"]): Promise<string> {
    return shortly(await this.policy(namespace, name), type);
  }

  /** Resolves when the condition in short is this, or like this. */
  async until(namespace: string, name: string, type: Condition["type"], text: string | RegExp): Promise<void> {
    let last = "";
    const is = async (): Promise<boolean> => {
      last = await this.condition(namespace, name, type);
      return typeof text === "string" ? last === text : text.test(last);
    };
    await until(`${type} of ${namespace}/${name} is "${String(text)}"`, is, { context: () => `it is "${last}"` });
  }

  /**
   * What is written to the policies of a namespace from now on: name and condition `Programmed` in short. Writes are seen in
   * their order, some time after they were made.
   */
  async writes(namespace: string): Promise<{ readonly seen: string[]; readonly stop: () => void }> {
    const seen: string[] = [];
    const closing = new AbortController();
    const path = this.path(namespace, "accesspolicies");
    const { metadata } = (await this.api.get({ path })) as { readonly metadata: { readonly resourceVersion: string } };
    const request = { path, query: { resourceVersion: metadata.resourceVersion }, signal: closing.signal };
    void this.api.watch(request, ({ type, object }) => {
      const found = object as StatusObject;
      if (type === "MODIFIED") seen.push(`${found.metadata.name} ${shortly(found, "Programmed")}`);
    });
    return { seen, stop: () => closing.abort() };
  }

  /** `kubectl wait`; resolves with its exit status when it ends. */
  waitFor(namespace: string, name: string, condition: string, timeout = "120s"): Promise<number> {
    const args = ["--kubeconfig", this.#server.kubeconfig, "-n", namespace, "wait", `--for=condition=${condition}`, `--timeout=${timeout}`];
    return new Promise((resolve) => {
      execFile(clusterProgram("kubectl"), [...args, `accesspolicy/${name}`], (error) =>
        resolve(error === null ? 0 : Number(error.code ?? 1)),
      );
    });
  }

  kubectl(...args: readonly string[]): string {
    const { stdout, stderr } = spawnSync(clusterProgram("kubectl"), ["--kubeconfig", this.#server.kubeconfig, ...args], {
      encoding: "utf8",
    });
    return stdout + stderr;
  }
}

function shortly({ status }: StatusObject, type: string): string {
  const found = status?.conditions?.find((condition) => condition.type === type);
  return found === undefined ? "none" : `${found.status} ${found.reason}: ${found.message} @${found.observedGeneration ?? "?"}`;
}
