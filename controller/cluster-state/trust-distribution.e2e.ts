/** The trust bundle in the namespaces of a real API server, which finalizes no namespace: one that is deleted stays Terminating. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { CertificateAuthority } from "../../ca/authority.ts";
import { StateParts } from "../../ca/state-parts.ts";
import { type ApiServer, startApiServer } from "../../e2e/cluster/api-server.ts";
import { eventually, until } from "../../e2e/support/eventually.ts";
import type { Source } from "../collections/collection.ts";
import { Graph } from "../collections/graph.ts";
import type { KubernetesApi } from "../kubernetes/api.ts";
import { connectKubernetes, type KubernetesConnection } from "../kubernetes/connect.ts";
import type { StoredObject } from "./stored-object.ts";
import { Election } from "./testing/election.ts";
import { TRUST_CONFIG_MAP } from "./trust-config-map.ts";
import { TrustDistribution } from "./trust-distribution.ts";

const INJECTED = { "seawall.dev/injection": "enabled" };

let server: ApiServer;
let connection: KubernetesConnection;
let api: KubernetesApi;
let namespaces = 0;

let graph: Graph;
let labels: Source<string, Readonly<Record<string, string>>>;
let authority: CertificateAuthority;
let election: Election;
let log: string[];
/** In how many namespaces somebody else's ConfigMap was seen. */
let foreign: number;
let distribution: TrustDistribution;
let home: string;

beforeAll(async () => {
  server = await startApiServer();
  connection = await connectKubernetes({ kubeconfig: server.kubeconfig });
  ({ api } = connection);
});
afterAll(async () => {
  connection.close();
  await server.stop();
});

beforeEach(async () => {
  graph = new Graph({
    onError: (fault) => {
      throw new Error(JSON.stringify(fault));
    },
  });
  labels = graph.source("namespace-labels");
  const remedies = { restore: "", startOver: "", removePart: "" };
  authority = new CertificateAuthority({ store: new StateParts({ path: "memory", remedies }, new Map()), trustDomain: "cluster.local" });
  election = new Election(true);
  log = [];
  foreign = 0;
  home = await newNamespace({});
  distribution = new TrustDistribution({
    ...{ api, namespace: home, namespaceLabels: labels, authority, leadership: election },
    log: (level, line) => log.push(`${level}: ${line}`),
    onForeign: (count) => (foreign = count),
  });
});
afterEach(() => distribution.close());

/** Makes a namespace that the mesh sees with these labels, once it sees any. */
async function newNamespace(withLabels: Readonly<Record<string, string>>): Promise<string> {
  const name = `shop-${++namespaces}`;
  await api.create({ path: "/api/v1/namespaces" }, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  labels.set(name, withLabels);
  return name;
}

/** The mesh has seen all namespaces. */
function see(): void {
  labels.markSynced();
  graph.tick();
}

const pathOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps/${TRUST_CONFIG_MAP}`;

function bundleIn(namespace: string): Promise<StoredObject | undefined> {
  return api.get({ path: pathOf(namespace) }).then(
    (object) => object as StoredObject,
    () => undefined,
  );
}

function trusted(namespace: string): Promise<StoredObject> {
  return eventually(`${namespace} has the bundle`, async () => {
    const bundle = await bundleIn(namespace);
    return bundle?.data?.["ca.pem"] === authority.trust.pem ? bundle : undefined;
  });
}

describe("the trust bundle", () => {
  it("is in every namespace whose pods are injected and in the control plane's own, and says where a sidecar's token is", async () => {
    const [shop, other] = [await newNamespace(INJECTED), await newNamespace({ "seawall.dev/injection": "disabled" })];
    see();
    const { data } = await trusted(shop);
    expect(Object.keys(data!).sort()).toEqual(["ca.pem", "token.json", "trust.json"]);
    expect(data!["token.json"]).toContain(`"filename":"/var/run/secrets/seawall/token"`);
    await trusted(home);
    expect(await bundleIn(other)).toBeUndefined();
  });

  it("comes and goes with the namespace's label", async () => {
    const shop = await newNamespace({});
    see();
    await trusted(home);
    labels.set(shop, INJECTED);
    graph.tick();
    await trusted(shop);
    labels.set(shop, {});
    graph.tick();
    await until("the bundle is gone", async () => (await bundleIn(shop)) === undefined);
    await trusted(home);
  });

  it("is restored when it was deleted, changed or emptied", async () => {
    const shop = await newNamespace(INJECTED);
    see();
    const { metadata } = await trusted(shop);
    await api.delete({ path: pathOf(shop) });
    const restored = await trusted(shop);
    expect(restored.metadata.uid).not.toBe(metadata.uid);
    for (const data of [{ "ca.pem": "not a root" }, { ...restored.data, more: "1" }, undefined]) {
      const { labels: kept } = restored.metadata;
      await api.replace(
        { path: pathOf(shop) },
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: TRUST_CONFIG_MAP, namespace: shop, labels: kept }, data },
      );
      await until("the bundle is restored", async () => JSON.stringify((await bundleIn(shop))?.data) === JSON.stringify(restored.data));
    }
  });

  it("holds both roots while one takes over from the other", async () => {
    const shop = await newNamespace(INJECTED);
    see();
    await trusted(shop);
    authority.prepareRoot();
    const { data } = await trusted(shop);
    expect(data!["ca.pem"]!.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it("is made by any replica where nobody has made it, and changed or removed by the leader alone", async () => {
    const [changed, unlabelled] = [await newNamespace(INJECTED), await newNamespace(INJECTED)];
    see();
    await trusted(unlabelled);
    const { metadata } = await trusted(changed);
    election.decide(false);
    const replaced = { apiVersion: "v1", kind: "ConfigMap", metadata: { ...metadata, resourceVersion: undefined }, data: { mine: "1" } };
    await api.replace({ path: pathOf(changed) }, replaced);
    labels.set(unlabelled, {});
    const missing = await newNamespace(INJECTED);
    graph.tick();
    await trusted(missing);
    expect((await bundleIn(changed))!.data).toEqual({ mine: "1" });
    expect(await bundleIn(unlabelled)).toBeDefined();
    election.decide(true);
    await trusted(changed);
    await until("the bundle is gone", async () => (await bundleIn(unlabelled)) === undefined);
    expect(log).toEqual([]);
  });

  it("takes no namespace for one that lost its label before all of them have been seen", async () => {
    const shop = await newNamespace(INJECTED);
    see();
    const { metadata } = await trusted(shop);
    distribution.close();
    const fresh = new Graph({ onError: () => undefined });
    const unseen = fresh.source<string, Readonly<Record<string, string>>>("namespace-labels");
    distribution = new TrustDistribution({
      ...{ api, namespace: home, namespaceLabels: unseen, authority, leadership: election },
      log: (_level, line) => log.push(line),
    });
    await until("the ConfigMaps are known", () => distribution.synced);
    expect((await bundleIn(shop))!.metadata.uid).toBe(metadata.uid);
    unseen.set(shop, {});
    unseen.markSynced();
    fresh.tick();
    await until("the bundle is gone", async () => (await bundleIn(shop)) === undefined);
  });
});

describe("a ConfigMap of the same name", () => {
  it("that somebody else made is reported and neither changed nor removed, and replaced by ours once it is gone", async () => {
    const shop = await newNamespace(INJECTED);
    const theirs = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: TRUST_CONFIG_MAP, namespace: shop }, data: { mine: "1" } };
    await api.create({ path: `/api/v1/namespaces/${shop}/configmaps` }, theirs);
    see();
    await until("the ConfigMap is found foreign", () => foreign === 1);
    await trusted(home);
    expect((await bundleIn(shop))!.data).toEqual({ mine: "1" });
    expect(log.filter((line) => line.includes(shop) && line.includes("was not made by Seawall"))).toHaveLength(1);
    labels.set(shop, {});
    graph.tick();
    await until("the ConfigMap matters no more", () => foreign === 0);
    expect((await bundleIn(shop))!.data).toEqual({ mine: "1" });
    labels.set(shop, INJECTED);
    graph.tick();
    await api.delete({ path: pathOf(shop) });
    await trusted(shop);
    expect(foreign).toBe(0);
  });
});

describe("a namespace that goes away", () => {
  it("while it gets its bundle is no error, and holds nobody else up", async () => {
    const [leaving, gone] = [await newNamespace(INJECTED), `gone-${namespaces}`];
    await api.delete({ path: `/api/v1/namespaces/${leaving}` });
    labels.set(gone, INJECTED);
    const shop = await newNamespace(INJECTED);
    see();
    await trusted(shop);
    expect(await bundleIn(leaving)).toBeUndefined();
    expect(log).toEqual([]);
  });
});

describe("the API server", () => {
  it("may be away for a while: what drifted meanwhile is found afterwards", async () => {
    const shop = await newNamespace(INJECTED);
    see();
    await trusted(shop);
    await server.kill();
    authority.prepareRoot();
    const later = `shop-${++namespaces}`;
    labels.set(later, INJECTED);
    graph.tick();
    await until("the outage is told of", () => log.length > 0);
    await server.start();
    await api.create({ path: "/api/v1/namespaces" }, { apiVersion: "v1", kind: "Namespace", metadata: { name: later } });
    await trusted(shop);
    labels.set(later, { ...INJECTED, again: "1" });
    graph.tick();
    await trusted(later);
  });
});
