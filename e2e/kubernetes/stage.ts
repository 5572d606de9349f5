/** What the sections of the scenario share: one cluster with Seawall and a user's application on it. */
import { expect, it } from "@jest/globals";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster, Outcome } from "../cluster/cluster.ts";
import { isForeignCluster, openCluster } from "../cluster/open-cluster.ts";
import { fetchClusterTools } from "../../tools/cluster/fetch-cluster-tools.ts";
import { buildNamed } from "../../tools/images/build-images.ts";
import { client, documents, IMAGE, namespace, server } from "./application.ts";
import { Client } from "./client.ts";
import { eventually } from "./eventually.ts";

/** A test of what only a node of ours lets us do: restart its API server, listen on its wire. Skipped on the cluster of KUBECONFIG. */
export const onOwnNode = isForeignCluster() ? it.skip : it;

export const SYSTEM = "seawall-system";
export const SHOP = "shop";
const REPOSITORY = join(import.meta.dirname, "..", "..");

export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), "seawall-e2e-"));
  #cluster: Cluster | undefined;

  get cluster(): Cluster {
    if (this.#cluster === undefined) throw new Error("the cluster has not been started");
    return this.#cluster;
  }

  /** The callers of the shop: `web`, which policies speak of, and `stranger`, of which they do not. */
  get web(): Client {
    return new Client(this.cluster, SHOP, "web");
  }

  get stranger(): Client {
    return new Client(this.cluster, SHOP, "stranger");
  }

  async open(): Promise<void> {
    const progress = (line: string): void => void process.stderr.write(`${line}\n`);
    await fetchClusterTools(isForeignCluster() ? ["chart"] : ["node"]);
    const images = await Promise.all((["control-plane", "sidecar", "app"] as const).map((name) => buildNamed(name)));
    this.#cluster = await openCluster({ progress });
    for (const image of images) await this.#cluster.importImage(image);
  }

  async close(): Promise<void> {
    await this.#cluster?.stop();
  }

  /** Installs or upgrades the release with values by their paths. */
  async helmUpgrade(values: Readonly<Record<string, string | number>> = {}): Promise<void> {
    const file = join(this.folder, "values.json");
    const images = { image: { pullPolicy: "Never" }, sidecar: { image: { pullPolicy: "Never" } } };
    writeFileSync(file, JSON.stringify(images));
    await this.cluster.helm(
      ...["upgrade", "--install", "seawall", join(REPOSITORY, "helm"), "--namespace", SYSTEM, "--create-namespace", "--values", file],
      ...Object.entries(values).map(([path, value]) => `--set=${path}=${value}`),
      ...["--wait", "--timeout", "3m"],
    );
  }

  async deployShop(): Promise<void> {
    await this.cluster.apply(
      [
        namespace(SHOP),
        server({ namespace: SHOP, name: "orders", replicas: 2 }),
        client({ namespace: SHOP, name: "web" }),
        client({ namespace: SHOP, name: "stranger" }),
      ].join("---\n"),
    );
    await this.rolledOut(SHOP);
  }

  /** Waits until every Deployment of a namespace has all its pods ready. */
  async rolledOut(inNamespace: string): Promise<void> {
    await this.cluster.kubectl("rollout", "status", "deployment", "-n", inNamespace, "--timeout=180s");
  }

  /** The pods of the control plane that are there and are not about to go. */
  async replicas(): Promise<readonly string[]> {
    const pods = await this.cluster.kubectl(
      ...["get", "pods", "-n", SYSTEM, "-l", "app.kubernetes.io/component=control-plane"],
      ...["-o", 'jsonpath={range .items[*]}{.metadata.name} {.metadata.deletionTimestamp}{"\\n"}{end}'],
    );
    return pods.split("\n").flatMap((line) => /^(\S+) $/.exec(line)?.[1] ?? []);
  }

  /** Waits until the control plane is whole, with none of `former` in it, and judges what is applied. */
  async controlPlaneIsBack(former: readonly string[] = []): Promise<void> {
    await eventually(
      () => this.replicas(),
      (pods) => pods.length > 0 && !pods.some((pod) => former.includes(pod)),
      180_000,
    );
    await this.rolledOut(SYSTEM);
    await eventually(
      () => this.cluster.run(["kubectl", "apply", "--dry-run=server", "-f", "-"], { input: allowOrders("asked", "web", "/asked") }),
      ({ status }) => status === 0,
      180_000,
    );
  }

  /** Makes pods and policies all the while, none of which stays, and expects that none is refused. */
  async whileAdmitting(act: () => Promise<void>): Promise<void> {
    const pod = { apiVersion: "v1", kind: "Pod", spec: { containers: [{ name: "app", image: IMAGE }] } };
    const pods = Array.from({ length: 100 }, (_, index) => ({ ...pod, metadata: { name: `asked-${index}`, namespace: SHOP } }));
    const input = `${documents(...pods)}---\n${allowOrders("asked", "web", "/asked")}`;
    const refusals: string[] = [];
    let rounds = 0;
    const ending = new AbortController();
    const asking = (async () => {
      while (!ending.signal.aborted) {
        const { status, stderr } = await this.cluster.run(["kubectl", "create", "--dry-run=server", "--validate=ignore", "-f", "-"], {
          input,
        });
        if (status !== 0) refusals.push(stderr);
        rounds += 1;
      }
    })();
    try {
      await act();
      const before = rounds;
      await eventually(
        () => Promise.resolve(rounds),
        (count) => count >= before + 2,
        180_000,
      );
    } finally {
      ending.abort();
      await asking;
    }
    expect(refusals).toEqual([]);
  }

  /** Applies a policy and waits until it is enforced on every sidecar that it concerns. */
  async enforce(manifest: string): Promise<void> {
    const applied = await this.cluster.apply(manifest);
    for (const line of applied.trim().split("\n")) {
      const object = line.split(" ", 1)[0] ?? "";
      await this.cluster.kubectl("wait", "-n", SHOP, object, "--for=condition=Programmed", "--timeout=120s");
    }
  }

  /** The `seawall` command on this machine, speaking to the cluster. */
  seawall(...args: string[]): Promise<Outcome> {
    return this.cluster.run([process.execPath, join(REPOSITORY, "cli", "seawall.ts"), ...args], { timeoutMs: 120_000 });
  }

  /** The access log of every sidecar of an application, one entry each. */
  async accessLog(app: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const lines = await this.cluster.kubectl("logs", "-n", SHOP, "-l", `app=${app}`, "-c", "seawall-proxy", "--tail=-1");
    return lines.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Record<string, unknown>] : []));
  }
}

/** An AccessPolicy that permits `GET` of `path` to callers of `account` at the shop's `orders`. */
export function allowOrders(name: string, account: string, path: string): string {
  return documents({
    apiVersion: "seawall.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name, namespace: SHOP },
    spec: {
      targetRefs: [{ kind: "Service", name: "orders" }],
      action: "Allow",
      rules: [{ name: "reads", from: [{ serviceAccounts: [account] }], to: [{ methods: ["GET"], paths: [path] }] }],
    },
  });
}

export const ORDERS = "http://orders.shop.svc.cluster.local";
