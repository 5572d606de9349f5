/** Statuses from sidecar to `kubectl wait`, with a real API server and several replicas of the control plane. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { eventually, until } from "../../e2e/support/eventually.ts";
import { TestAuthority } from "../../xds-server/delta/testing/test-authority.ts";
import { HeldWatches } from "./testing/held-watches.ts";
import { StatusCluster } from "./testing/status-cluster.ts";
import { TestReplica, type TestReplicaOptions } from "./testing/test-replica.ts";

let cluster: StatusCluster;
const authority = new TestAuthority();
const replicas = new Set<TestReplica>();
let last = 0;
beforeAll(async () => {
  cluster = await StatusCluster.start();
});
afterEach(async () => {
  for (const replica of replicas) await replica.stop();
  replicas.clear();
});
afterAll(() => cluster.stop());

/** A namespace and a Lease that no other test has. */
async function shop(): Promise<{
  readonly namespace: string;
  replica: (name: string, more?: Partial<TestReplicaOptions>) => Promise<TestReplica>;
}> {
  const namespace = `shop-${++last}`;
  await cluster.namespace(namespace);
  const replica = async (name: string, more: Partial<TestReplicaOptions> = {}): Promise<TestReplica> => {
    const started = await TestReplica.start({ api: cluster.api, authority, name, lease: namespace, ...more });
    replicas.add(started);
    return started;
  };
  return { namespace, replica };
}

/** Nobody's sidecars are given up in a test. */
const PATIENT = { settlingMs: 3_600_000 };

/** Resolves when the leader has heard of the sidecar of web-1, and so from the replica that has it. */
async function reports(namespace: string): Promise<void> {
  await cluster.allow(namespace, "other", { target: "web", from: "orders" });
  await cluster.until(namespace, "other", "Programmed", "True Programmed: 1 of 1 sidecars @1");
}

async function stopped(replica: TestReplica): Promise<void> {
  replicas.delete(replica);
  await replica.stop();
}

describe("the status of a policy", () => {
  it("is programmed for `kubectl wait` when the sidecar runs this generation, and not before", async () => {
    const { namespace, replica } = await shop();
    const uid = await cluster.pod(namespace, "orders-1");
    const one = await replica("one");
    const sidecar = await one.connect(`${namespace}/orders-1`, uid, "hold");
    await cluster.allow(namespace, "reads");
    let ended = false;
    const waiting = cluster.waitFor(namespace, "reads", "Programmed").finally(() => (ended = true));
    await cluster.until(namespace, "reads", "Programmed", `False Pending: 0 of 1 sidecars; waiting for ${namespace}/orders-1 @1`);
    expect(ended).toBe(false);
    sidecar.accept();
    expect(await waiting).toBe(0);
    expect(await cluster.condition(namespace, "reads", "Programmed")).toBe("True Programmed: 1 of 1 sidecars @1");
    expect(await cluster.condition(namespace, "reads", "Accepted")).toBe("True Accepted:  @1");

    sidecar.hold();
    await cluster.allow(namespace, "reads", { from: "somebody-else" });
    expect(await cluster.waitFor(namespace, "reads", "Programmed", "1s")).not.toBe(0);
    sidecar.accept();
    expect(await cluster.waitFor(namespace, "reads", "Programmed")).toBe(0);
    expect(await cluster.policy(namespace, "reads")).toMatchObject({
      metadata: { generation: 2 },
      status: {
        sidecars: { affected: 1, programmed: 1 },
        ancestors: [{ ancestorRef: { kind: "Service", namespace, name: "orders" }, controllerName: "seawall.dev/mesh" }],
      },
    });
  });

  it("counts pods that run, connected or not, and no others", async () => {
    const { namespace, replica } = await shop();
    const uid = await cluster.pod(namespace, "orders-1");
    await cluster.pod(namespace, "orders-2", "Pending");
    const one = await replica("one", { settlingMs: 0 });
    await one.connect(`${namespace}/orders-1`, uid);
    await cluster.allow(namespace, "reads");
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @1");
    await cluster.setPhase(namespace, "orders-2", "Running");
    await cluster.until(
      namespace,
      "reads",
      "Programmed",
      `False PartiallyProgrammed: 1 of 2 sidecars; waiting for ${namespace}/orders-2 @1`,
    );
    const { metadata } = await cluster.policy(namespace, "reads");
    expect(metadata.generation).toBe(1);
  });

  it("is written once for each change, and what is written changes nothing in any replica", async () => {
    const { namespace, replica } = await shop();
    const uid = await cluster.pod(namespace, "orders-1");
    const one = await replica("one");
    const two = await replica("two");
    await until("one of them leads", () => one.leading || two.leading);
    await one.connect(`${namespace}/orders-1`, uid);
    const { seen, stop } = await cluster.writes(namespace);
    await cluster.allow(namespace, "reads");
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @1");
    const ticks = [one.ticks, two.ticks];
    const programmed = await cluster.policy(namespace, "reads");
    // Labels are no spec: no generation, nothing on the wire, nothing to say.
    await cluster.api.patch({ path: `${cluster.path(namespace, "accesspolicies")}/reads` }, "application/merge-patch+json", {
      metadata: { labels: { team: "shop" } },
    });
    await until("both have seen the label", () => one.ticks > ticks[0]! && two.ticks > ticks[1]!);
    await cluster.allow(namespace, "later");
    await cluster.until(namespace, "later", "Programmed", "True Programmed: 1 of 1 sidecars @1");
    await until("the writes were seen", () => seen.includes("later True Programmed: 1 of 1 sidecars @1"));
    stop();
    expect(seen.filter((write) => write === "reads True Programmed: 1 of 1 sidecars @1")).toHaveLength(2);
    expect(seen.filter((write) => write.startsWith("reads")).length).toBeLessThanOrEqual(3);
    expect((await cluster.policy(namespace, "reads")).status).toEqual(programmed.status);
    // One for the label and at most two for the policy that came; none for the statuses that were written.
    expect(one.ticks - ticks[0]!).toBeLessThanOrEqual(2);
    expect(two.ticks - ticks[1]!).toBeLessThanOrEqual(2);
  });

  it("moves the time of a condition only when that turns", async () => {
    const { namespace, replica } = await shop();
    await replica("one");
    await cluster.allow(namespace, "reads", { target: "nowhere" });
    await cluster.until(namespace, "reads", "ResolvedRefs", `False TargetNotFound: not found: Service ${namespace}/nowhere @1`);
    const before = (await cluster.policy(namespace, "reads")).status?.conditions;
    // Times are written down by the second.
    const second = Math.floor(Date.now() / 1000);
    await until("the second is over", () => Math.floor(Date.now() / 1000) > second);
    await cluster.allow(namespace, "reads", { target: "orders" });
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 0 of 0 sidecars @2");
    const after = (await cluster.policy(namespace, "reads")).status?.conditions;
    const time = (conditions: typeof before, type: string): string | undefined =>
      conditions?.find((condition) => condition.type === type)?.lastTransitionTime;
    expect(time(after, "Accepted")).toBe(time(before, "Accepted"));
    expect(time(after, "ResolvedRefs")).not.toBe(time(before, "ResolvedRefs"));
    expect(time(after, "Programmed")).not.toBe(time(before, "Programmed"));
  });

  it("says of a policy that names what is not there, or does not hold, that it is not programmed", async () => {
    const { namespace, replica } = await shop();
    await replica("one");
    await cluster.allow(namespace, "astray", { target: "nowhere" });
    await cluster.until(
      namespace,
      "astray",
      "Programmed",
      `False TargetNotFound: 0 of 0 sidecars; not found: Service ${namespace}/nowhere @1`,
    );
    await cluster.allow(namespace, "broken", { rules: [{ name: "a", to: [{ paths: ["/a/{**}/b"] }] }] });
    await cluster.until(namespace, "broken", "Accepted", /^False Invalid: .*spec\.rules\[0\].* @1$/);
    expect(await cluster.condition(namespace, "broken", "Programmed")).toMatch(/^False Invalid: .* @1$/);
    await cluster.allow(namespace, "broken");
    await cluster.until(namespace, "broken", "Accepted", "True Accepted:  @2");
  });

  it("says what a sidecar refuses, in its words", async () => {
    const { namespace, replica } = await shop();
    const uid = await cluster.pod(namespace, "orders-1");
    const one = await replica("one");
    const sidecar = await one.connect(`${namespace}/orders-1`, uid);
    await cluster.allow(namespace, "reads");
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @1");
    sidecar.refuseRoutes("no such filter");
    await cluster.allow(namespace, "reads", { from: "somebody-else" });
    const found = await eventually("the sidecar's refusal is told", async () => {
      const said = await cluster.condition(namespace, "reads", "Programmed");
      return said.includes("Rejected") ? said : undefined;
    });
    expect(found).toMatch(new RegExp(`^False Rejected: 0 of 1 sidecars; ${namespace}/orders-1 refuses .*: no such filter @2$`));
  });

  it("is written when the API server is back", async () => {
    const { namespace, replica } = await shop();
    const uid = await cluster.pod(namespace, "orders-1");
    const one = await replica("one");
    const sidecar = await one.connect(`${namespace}/orders-1`, uid, "hold");
    await cluster.allow(namespace, "reads");
    await cluster.until(namespace, "reads", "Programmed", `False Pending: 0 of 1 sidecars; waiting for ${namespace}/orders-1 @1`);
    const back = cluster.restart();
    sidecar.accept();
    await back;
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @1");
  });
});

describe("several replicas", () => {
  it("tell the leader what their sidecars run", async () => {
    const { namespace, replica } = await shop();
    const one = await replica("one");
    await until("the first leads", () => one.leading);
    const two = await replica("two");
    await two.connect(`${namespace}/orders-1`, await cluster.pod(namespace, "orders-1"));
    const held = await two.connect(`${namespace}/orders-2`, await cluster.pod(namespace, "orders-2"), "hold");
    await cluster.allow(namespace, "reads");
    await cluster.until(
      namespace,
      "reads",
      "Programmed",
      `False PartiallyProgrammed: 1 of 2 sidecars; waiting for ${namespace}/orders-2 @1`,
    );
    held.accept();
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 2 of 2 sidecars @1");
    expect(two.leading).toBe(false);
  });

  it("wait for the callers that are connected to another one than the server", async () => {
    const { namespace, replica } = await shop();
    const one = await replica("one");
    await until("the first leads", () => one.leading);
    const two = await replica("two");
    await one.connect(`${namespace}/orders-1`, await cluster.pod(namespace, "orders-1"));
    const caller = await two.connect(`${namespace}/web-1`, await cluster.pod(namespace, "web-1"));
    await reports(namespace);
    await cluster.allow(namespace, "reads", { from: "somebody-else" });
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @1");
    // From now on web may call, and cannot before its own sidecar knows.
    caller.hold();
    await cluster.allow(namespace, "reads", { from: "web" });
    await cluster.until(namespace, "reads", "Programmed", "False Pending: 1 of 1 sidecars; waiting for callers at two @2");
    expect(await cluster.waitFor(namespace, "reads", "Programmed", "1s")).not.toBe(0);
    caller.accept();
    expect(await cluster.waitFor(namespace, "reads", "Programmed")).toBe(0);
    expect(await cluster.condition(namespace, "reads", "Programmed")).toBe("True Programmed: 1 of 1 sidecars @2");
  });

  it("wait for one that has not heard of the edit yet, as long as it is there", async () => {
    const { namespace, replica } = await shop();
    const one = await replica("one");
    await until("the first leads", () => one.leading);
    const watches = new HeldWatches(cluster.api);
    const two = await replica("two", { api: watches.api });
    await one.connect(`${namespace}/orders-1`, await cluster.pod(namespace, "orders-1"));
    await two.connect(`${namespace}/web-1`, await cluster.pod(namespace, "web-1"));
    await reports(namespace);
    await cluster.allow(namespace, "reads");
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @1");
    watches.hold();
    await cluster.allow(namespace, "reads", { from: "somebody-else" });
    await cluster.until(namespace, "reads", "Programmed", "False Pending: 1 of 1 sidecars; waiting for callers at two @2");
    watches.release();
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @2");
    watches.hold();
    await cluster.allow(namespace, "reads");
    await cluster.until(namespace, "reads", "Programmed", "False Pending: 1 of 1 sidecars; waiting for callers at two @3");
    await stopped(two);
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @3");
  });

  it("wait for one that serves and has not found the leader yet", async () => {
    const { namespace, replica } = await shop();
    const one = await replica("seawall-1");
    await until("the first leads", () => one.leading);
    await one.connect(`${namespace}/orders-1`, await cluster.pod(namespace, "orders-1"));
    for (const name of ["seawall-1", "seawall-2"]) await cluster.pod(namespace, name);
    await until("the leader knows both pods", () => one.knowsReady(`${namespace}/seawall-1`) && one.knowsReady(`${namespace}/seawall-2`));
    await cluster.allow(namespace, "reads");
    await cluster.until(namespace, "reads", "Programmed", "False Pending: 1 of 1 sidecars; waiting for callers at seawall-2 @1");
    await replica("seawall-2");
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @1");
  });

  it("tell a new leader everything, and no status turns because another leads", async () => {
    const { namespace, replica } = await shop();
    const one = await replica("one");
    await until("the first leads", () => one.leading);
    const two = await replica("two", PATIENT);
    const three = await replica("three", PATIENT);
    await two.connect(`${namespace}/orders-1`, await cluster.pod(namespace, "orders-1"));
    await three.connect(`${namespace}/orders-2`, await cluster.pod(namespace, "orders-2"));
    await cluster.allow(namespace, "reads");
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 2 of 2 sidecars @1");
    const { seen, stop } = await cluster.writes(namespace);
    await stopped(one);
    await until("another leads", () => two.leading || three.leading);
    await cluster.allow(namespace, "later");
    await cluster.until(namespace, "later", "Programmed", "True Programmed: 2 of 2 sidecars @1");
    await cluster.allow(namespace, "reads", { from: "somebody-else" });
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 2 of 2 sidecars @2");
    await until("the writes were seen", () => seen.includes("reads True Programmed: 2 of 2 sidecars @2"));
    stop();
    expect(seen.filter((write) => write.startsWith("reads False") && write.endsWith("@1"))).toEqual([]);
  });

  it("do not take back what was programmed because its sidecars have not come to a new leader yet", async () => {
    const { namespace, replica } = await shop();
    const one = await replica("one");
    await until("the first leads", () => one.leading);
    const two = await replica("two", PATIENT);
    const uid = await cluster.pod(namespace, "orders-1");
    await one.connect(`${namespace}/orders-1`, uid);
    await cluster.allow(namespace, "reads");
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @1");
    const { seen, stop } = await cluster.writes(namespace);
    await stopped(one);
    await until("the second leads", () => two.leading);
    await cluster.allow(namespace, "later");
    await cluster.until(namespace, "later", "Programmed", `False Pending: 0 of 1 sidecars; waiting for ${namespace}/orders-1 @1`);
    await two.connect(`${namespace}/orders-1`, uid);
    await cluster.until(namespace, "later", "Programmed", "True Programmed: 1 of 1 sidecars @1");
    await until("the writes were seen", () => seen.includes("later True Programmed: 1 of 1 sidecars @1"));
    stop();
    expect(seen.filter((write) => write.startsWith("reads"))).toEqual([]);
  });

  it("say in the end that sidecars have not come to a new leader", async () => {
    const { namespace, replica } = await shop();
    const one = await replica("one");
    await until("the first leads", () => one.leading);
    await replica("two", { settlingMs: 100 });
    await one.connect(`${namespace}/orders-1`, await cluster.pod(namespace, "orders-1"));
    await cluster.allow(namespace, "reads");
    await cluster.until(namespace, "reads", "Programmed", "True Programmed: 1 of 1 sidecars @1");
    await stopped(one);
    await cluster.until(namespace, "reads", "Programmed", `False Pending: 0 of 1 sidecars; waiting for ${namespace}/orders-1 @1`);
  });

  it("believe nobody who cannot prove to be one of them", async () => {
    const { namespace, replica } = await shop();
    const one = await replica("one");
    await until("the first leads", () => one.leading);
    const stranger = await replica("stranger", { token: "guessed" });
    await stranger.connect(`${namespace}/orders-1`, await cluster.pod(namespace, "orders-1"));
    await cluster.allow(namespace, "reads");
    await until("the stranger is refused", () => stranger.lines.some((line) => line.includes("the token is no replica's")));
    await cluster.until(namespace, "reads", "Programmed", /^False Pending: 0 of 1 sidecars/);
  });
});
