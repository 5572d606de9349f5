/** What the source makes of a server, or of a way to it, that fails. What is known stands, and nothing is said twice. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { type ApiServer, startApiServer } from "../../../e2e/cluster/api-server.ts";
import { until } from "../../../e2e/support/eventually.ts";
import { HttpKubernetesApi } from "../../kubernetes/http-api.ts";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import { connectKubernetes, type KubernetesConnection } from "../../kubernetes/connect.ts";
import { FollowedCluster, type FollowOptions } from "./testing/followed-cluster.ts";
import { type Asked, Meddler } from "./testing/meddler.ts";
import { createNamespace, deletePod, guard, GUARDS, guardsIn, installGuards, pod, setPodStatus } from "./testing/objects.ts";

let server: ApiServer;
let connection: KubernetesConnection;
let api: KubernetesApi;
let namespace: string;
let last = 0;
beforeAll(async () => {
  server = await startApiServer();
  connection = await connectKubernetes({ kubeconfig: server.kubeconfig });
  api = connection.api;
  await installGuards(api);
});
afterAll(async () => {
  connection.close();
  await server.stop();
});
beforeEach(async () => {
  namespace = `shop-${++last}`;
  await createNamespace(api, namespace);
});

const PODS = "/api/v1/pods";
const podPath = (): string => `/api/v1/namespaces/${namespace}/pods`;
const createPod = async (name: string): Promise<void> => {
  await api.create({ path: podPath() }, pod(name));
};
const podKey = (name: string): string => `Pod/${namespace}/${name}`;

async function follow(options: Partial<FollowOptions> = {}): Promise<FollowedCluster> {
  const cluster = new FollowedCluster({ api, kinds: ["Pod"], ...options });
  await cluster.untilWatching();
  return cluster;
}

/** A cluster that is followed through a meddler. */
async function followThrough(meddler: Meddler, options: Partial<FollowOptions> = {}): Promise<FollowedCluster> {
  const through = new HttpKubernetesApi({
    server: meddler.url,
    namespace: "default",
    credentials: () => Promise.resolve({ headers: { authorization: `Bearer ${server.tokens.admin}` } }),
  });
  return follow({ api: through, ...options });
}

describe("a server that is killed", () => {
  it("is missed once, and what is known stands; when it is back the watch goes on where it was, and nothing is emitted again", async () => {
    await createPod("kept");
    await using cluster = await follow({ kinds: ["Pod", "Namespace", "Service"] });
    const seen = cluster.changes.length;
    const lists = cluster.count("Pod list 1");
    await server.kill();
    await cluster.until(() => ["Pod", "Namespace", "Service"].every((kind) => cluster.state(kind) === "Failing"));
    expect(cluster.entry(podKey("kept"))).toMatchObject({ state: "valid" });
    await server.start();
    await cluster.until(() => cluster.logged.includes("info all kinds are followed again"));
    expect(cluster.changes.slice(seen)).toEqual([]);
    expect(cluster.logged.filter((line) => line.includes("ECONNREFUSED"))).toHaveLength(1);
    await createPod("later");
    await cluster.until(() => cluster.entry(podKey("later")) !== undefined);
    expect(cluster.changes.slice(seen)).toEqual([`added ${podKey("later")}`]);
    expect(cluster.count("Pod list 1")).toBe(lists);
  });

  it("and has forgotten what was since: the differences are found, and only they are emitted", async () => {
    for (const name of ["kept", "gone", "anew"]) await createPod(name);
    await api.create({ path: guardsIn(namespace) }, guard("door"));
    await using through = await Meddler.before(server);
    await using cluster = await followThrough(through, { kinds: ["Pod", "Guard"] });
    const seen = cluster.changes.length;
    through.refuse = () => ({ status: 503, body: {} });
    through.meddle = () => ({ kind: "Truncate", orderly: false });
    await createPod("cut");
    await api.delete({ path: `${guardsIn(namespace)}/door` });
    await cluster.until(() => cluster.state("Pod") === "Failing" && cluster.state("Guard") === "Failing");
    await api.create({ path: guardsIn(namespace) }, guard("door", { action: "Alow" }));
    await deletePod(api, namespace, "gone");
    await deletePod(api, namespace, "anew");
    await createPod("anew");
    await createPod("later");
    await server.compact();
    await server.restart();
    through.refuse = () => undefined;
    through.meddle = () => ({ kind: "Pass" });
    await cluster.until(() => cluster.count("Guard Expired") === 1 && cluster.entry(podKey("later")) !== undefined);
    const door = `Guard/${namespace}/door`;
    await cluster.until(() => cluster.entry(door)?.state === "invalid");
    expect(cluster.changes.slice(seen).sort()).toEqual(
      [
        ...["cut", "later"].map((name) => `added ${podKey(name)}`),
        `removed ${podKey("gone")}`,
        `updated ${door}`,
        `updated ${podKey("anew")}`,
      ].sort(),
    );
    // The door that was good is not the door that is there.
    expect(cluster.entry(door)).not.toHaveProperty("lastGood");
    expect(cluster.count("Pod Expired")).toBe(1);
    await cluster.untilWatching();
    await createPod("last");
    await cluster.until(() => cluster.entry(podKey("last")) !== undefined);
  });

  it("leaves an object that does not hold as it was, with its last good state", async () => {
    await api.create({ path: guardsIn(namespace) }, guard("door"));
    await using cluster = await follow({ kinds: ["Guard"] });
    const key = `Guard/${namespace}/door`;
    await api.patch({ path: `${guardsIn(namespace)}/door` }, "application/merge-patch+json", { spec: { action: "Alow" } });
    await cluster.until(() => cluster.entry(key)?.state === "invalid");
    const seen = cluster.changes.length;
    await server.restart();
    await cluster.until(() => cluster.logged.includes("info all kinds are followed again"));
    expect(cluster.entry(key)).toMatchObject({ state: "invalid", lastGood: { spec: { action: "Allow" } } });
    expect(cluster.changes).toHaveLength(seen);
  });
});

describe("a watch", () => {
  it.each([
    { how: "is cut within an event", meddling: { kind: "Truncate", orderly: false } as const },
    { how: "ends within an event, in good order", meddling: { kind: "Truncate", orderly: true } as const },
    { how: "brings what is no event", meddling: { kind: "Append", text: "nonsense\n" } as const },
    {
      how: "brings an error",
      meddling: {
        kind: "Append",
        text: `${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 500, reason: "InternalError", message: "etcd is away" } })}\n`,
      } as const,
    },
  ])("that $how goes on from the last whole event, without a list", async ({ meddling }) => {
    await using through = await Meddler.before(server);
    await using cluster = await followThrough(through);
    const seen = cluster.changes.length;
    const lists = through.lists(PODS).length;
    let isLeft = true;
    through.meddle = (_asked, piece) => {
      if (!isLeft || !piece.includes("second")) return { kind: "Pass" };
      isLeft = false;
      return meddling;
    };
    for (const name of ["first", "second", "third"]) await createPod(name);
    await cluster.until(() => cluster.entry(podKey("third")) !== undefined);
    expect(cluster.changes.slice(seen)).toEqual(["first", "second", "third"].map((name) => `added ${podKey(name)}`));
    expect(through.lists(PODS)).toHaveLength(lists);
    expect(through.watches(PODS)).toHaveLength(2);
    expect(cluster.count("Pod Failed")).toBe(1);
  });

  it("that expires leads to a list, of which only the differences are emitted", async () => {
    await createPod("kept");
    await using through = await Meddler.before(server);
    await using cluster = await followThrough(through);
    const seen = cluster.changes.length;
    const lists = through.lists(PODS).length;
    const expired = { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } };
    let isLeft = true;
    through.meddle = () => {
      const meddling = isLeft ? ({ kind: "Append", text: `${JSON.stringify(expired)}\n` } as const) : ({ kind: "Pass" } as const);
      isLeft = false;
      return meddling;
    };
    await createPod("later");
    await cluster.until(() => cluster.count("Pod Expired") === 1 && through.lists(PODS).length === lists + 1);
    await createPod("last");
    await cluster.until(() => cluster.entry(podKey("last")) !== undefined);
    expect(cluster.changes.slice(seen)).toEqual([`added ${podKey("later")}`, `added ${podKey("last")}`]);
  });

  it("that the server ends is begun again at the last bookmark", async () => {
    await createPod("ended");
    await setPodStatus(api, namespace, "ended", { phase: "Succeeded" });
    await using through = await Meddler.before(server);
    await using cluster = await followThrough(through, { timing: { watchSeconds: 3 } });
    const before = through.watches(PODS)[0]?.query.get("resourceVersion");
    // No news to this watch: only a bookmark tells that the version goes on.
    await api.patch({ path: `${podPath()}/ended` }, "application/merge-patch+json", { metadata: { labels: { a: "b" } } });
    await cluster.until(() => cluster.count("Pod BOOKMARK") > 0);
    await cluster.until(() => Number(through.watches(PODS).at(-1)?.query.get("resourceVersion")) > Number(before));
    expect(through.lists(PODS)).toHaveLength(1);
    expect(cluster.logged).toEqual([]);
  });

  it("in which nothing moves any more is given up, and everything is listed", async () => {
    await using through = await Meddler.before(server);
    await using cluster = await followThrough(through, { timing: { stallMs: 300 } });
    const lists = through.lists(PODS).length;
    through.meddle = () => ({ kind: "Swallow" });
    await createPod("lost");
    await cluster.until(() => cluster.entry(podKey("lost")) !== undefined);
    expect(cluster.count("Pod Stalled")).toBeGreaterThan(0);
    expect(through.lists(PODS).length).toBeGreaterThan(lists);
  });
});

describe("a list", () => {
  const tooOld = (asked: Asked): { readonly status: number; readonly body: unknown } | undefined =>
    asked.query.has("continue") ? { status: 410, body: { reason: "Expired", message: "the continue token is too old" } } : undefined;

  it("whose next page has expired is asked for as a whole", async () => {
    for (const name of ["one", "two", "three"]) await createPod(name);
    await using through = await Meddler.before(server);
    through.refuse = tooOld;
    await using cluster = await followThrough(through, { timing: { pageSize: 2 } });
    expect(["one", "two", "three"].map((name) => cluster.entry(podKey(name))?.state)).toEqual(["valid", "valid", "valid"]);
    expect(through.lists(PODS).map(({ query }) => query.get("limit"))).toEqual(["2", "2", null]);
  });

  it("that is refused is asked for again, and until it is given nothing is synced", async () => {
    await using through = await Meddler.before(server);
    const message = "pods is forbidden: User cannot list";
    through.refuse = ({ path }) => (path === PODS ? { status: 403, body: { reason: "Forbidden", message } } : undefined);
    const following = followThrough(through, { kinds: ["Pod", "Namespace"] });
    await until("pods are asked for four times", () => through.lists(PODS).length >= 4);
    through.refuse = () => undefined;
    await using cluster = await following;
    expect(cluster.logged).toEqual([
      `warn Pod objects cannot be followed, and what was known of them stands: ${message}`,
      "info all kinds are followed again",
    ]);
  });
});

describe("a kind that is not found", () => {
  it("although the server has it is a fault: what is known stands", async () => {
    await api.create({ path: guardsIn(namespace) }, guard("door"));
    await using through = await Meddler.before(server);
    await using cluster = await followThrough(through, { kinds: ["Guard"], timing: { watchSeconds: 1 } });
    const lost = { status: 404, body: { kind: "Status", reason: "NotFound", message: "page not found" } };
    through.refuse = ({ path }) => (path === GUARDS ? lost : undefined);
    await cluster.until(() => cluster.count("Guard Failed") >= 2);
    expect(cluster.state("Guard")).toBe("Failing");
    expect(cluster.entry(`Guard/${namespace}/door`)).toBeDefined();
  });

  it("and then is, but cannot be watched yet, is told of when it is followed", async () => {
    await using through = await Meddler.before(server);
    const absent = { status: 404, body: { kind: "Status", reason: "NotFound", message: "page not found" } };
    const groups = { status: 200, body: { kind: "APIGroupList", groups: [] } };
    through.refuse = ({ path }) => (path === GUARDS ? absent : path === "/apis" ? groups : undefined);
    await using cluster = await followThrough(through, { kinds: ["Guard"] });
    const message = "storage is (re)initializing";
    let refused = 0;
    through.refuse = ({ path, isWatch }) =>
      path === GUARDS && isWatch && refused++ === 0 ? { status: 429, body: { reason: "TooManyRequests", message } } : undefined;
    await cluster.until(() => cluster.logged.includes("info all kinds are followed again"));
    expect(cluster.logged).toEqual([
      "warn Guard of seawall.dev/v1alpha1 is not installed: there are none until its CRD is",
      `warn Guard objects cannot be followed, and what was known of them stands: ${message}`,
      "info Guard of seawall.dev/v1alpha1 is installed now",
      "info all kinds are followed again",
    ]);
  });

  it("since its CRD is gone has no objects", async () => {
    await api.create({ path: guardsIn(namespace) }, guard("door"));
    await using cluster = await follow({ kinds: ["Guard"], timing: { watchSeconds: 1 } });
    await api.delete({ path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/guards.seawall.dev" });
    await cluster.until(() => cluster.state("Guard") === "Absent" && cluster.keys("Guard").length === 0);
  });
});
