/** A real delta server, fed by a real mesh, and scripted sidecars. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { until } from "../../e2e/support/eventually.ts";
import { feedXds } from "../xds-feed.ts";
import { TestServer } from "../../xds-server/delta/testing/test-server.ts";
import { type PolicyCoverage, policyCoverage } from "./policy-coverage.ts";
import { SidecarAcknowledgements } from "./sidecar-acknowledgements.ts";
import type { ReportClock } from "./report-clock.ts";
import { MeshSources } from "./testing/mesh-sources.ts";
import { allow, pod, policy, service } from "./testing/objects.ts";
import { RecordedLedger } from "./testing/recorded-ledger.ts";
import { TestSidecar } from "./testing/test-sidecar.ts";

let mesh: MeshSources;
let coverage: PolicyCoverage;
let acknowledgements: SidecarAcknowledgements;
let server: TestServer;
/** Ends the patience with callers that do not answer. */
let loosePatience: () => void;
const patience: ReportClock = {
  now: () => 0,
  after: (_milliseconds, call) => {
    loosePatience = call;
    return () => undefined;
  },
};
let ledger: RecordedLedger;
const sidecars: TestSidecar[] = [];

beforeEach(async () => {
  mesh = new MeshSources();
  coverage = policyCoverage(mesh.graph, mesh.mesh, mesh.source);
  acknowledgements = new SidecarAcknowledgements(coverage, patience);
  server = await TestServer.start({ observer: acknowledgements.observer });
  mesh.set(service("orders"), service("web"), pod("orders-1"), pod("web-1"), allow("reads", "orders", "web"));
  mesh.synced();
  feedXds(mesh.graph, mesh.mesh, (update) => void server.server.apply(update));
  acknowledgements.start(server.server);
  ledger = new RecordedLedger(acknowledgements.ledger);
});

afterEach(async () => {
  for (const sidecar of sidecars.splice(0)) sidecar.close();
  await server[Symbol.asyncDispose]();
  expect(mesh.faults).toEqual([]);
});

async function connect(name: string, answer: "accept" | "hold" = "accept", uid = `uid-of-${name}`): Promise<TestSidecar> {
  const token = `${name} ${uid}`.replaceAll(" ", "+");
  server.tokens.set(token, { subscriber: `shop/${name}`, uid, expiresAt: Date.now() + 3_600_000 });
  const sidecar = await TestSidecar.connect(server.target, token, answer);
  sidecars.push(sidecar);
  return sidecar;
}

/** Resolves when the pod's sidecar has answered everything. */
async function isDone(name: string): Promise<void> {
  const answered = (): number => server.server.progress(`shop/${name}`)?.ackedThrough ?? 0;
  await until(`${name} has answered everything`, () => answered() >= server.server.sequence);
}

describe("what sidecars acknowledge", () => {
  it("is a policy once the update is accepted that carried it, and not before", async () => {
    const sidecar = await connect("orders-1");
    await ledger.heard("uid-of-orders-1 runs reads 1");
    sidecar.hold();
    mesh.set(allow("reads", "orders", "somebody-else", 2));
    mesh.graph.tick();
    // The other sidecar has answered everything by now; this one has not.
    await connect("web-1");
    await isDone("web-1");
    expect(ledger.events).not.toContain("uid-of-orders-1 runs reads 2");
    sidecar.accept();
    await ledger.heard("uid-of-orders-1 runs reads 2");
  });

  it("is at once a policy whose edit puts nothing on the wire", async () => {
    await connect("orders-1");
    await ledger.heard("uid-of-orders-1 runs reads 1");
    mesh.set(allow("reads", "orders", "web", 2));
    mesh.graph.tick();
    await ledger.heard("uid-of-orders-1 runs reads 2");
  });

  it("is not the next generation, though it puts nothing on the wire, while the one before is not answered", async () => {
    const sidecar = await connect("orders-1");
    await ledger.heard("uid-of-orders-1 runs reads 1");
    sidecar.hold();
    mesh.set(allow("reads", "orders", "somebody-else", 2));
    mesh.graph.tick();
    mesh.set(allow("reads", "orders", "somebody-else", 3));
    mesh.graph.tick();
    await Promise.resolve();
    expect(ledger.events).toEqual([]);
    sidecar.accept();
    await ledger.heard("uid-of-orders-1 runs reads 3");
    expect(ledger.events).toEqual([]);
  });

  it("settles a policy when the callers whom the edit concerns have answered too, or patience with them ends", async () => {
    const settled = (): string | undefined => acknowledgements.settled.revisionOf("AccessPolicy/shop/reads");
    await connect("orders-1");
    const caller = await connect("web-1");
    await ledger.heard("uid-of-orders-1 runs reads 1");
    await isDone("web-1");
    expect(settled()).toBe("uid-of-AccessPolicy-reads/1");
    caller.hold();
    for (const [generation, from] of [
      [2, "somebody-else"],
      [3, "web"],
    ] as const) {
      mesh.set(allow("reads", "orders", from, generation));
      mesh.graph.tick();
      await ledger.heard(`uid-of-orders-1 runs reads ${generation}`);
      expect(settled()).toBe(`uid-of-AccessPolicy-reads/${generation - 1}`);
      if (generation === 2) caller.accept();
      else loosePatience();
      await until(`generation ${generation} is settled`, () => settled() === `uid-of-AccessPolicy-reads/${generation}`);
      caller.hold();
    }
  });

  it("settles at once a policy that concerns nobody who is connected", async () => {
    mesh.set(allow("reads", "orders", "somebody-else", 2));
    mesh.graph.tick();
    await Promise.resolve();
    expect(acknowledgements.settled.revisionOf("AccessPolicy/shop/reads")).toBe("uid-of-AccessPolicy-reads/2");
  });

  it("is nothing new of a sidecar that refuses, which says so, until it accepts again", async () => {
    const sidecar = await connect("orders-1");
    await ledger.heard("uid-of-orders-1 runs reads 1");
    sidecar.refuseRoutes("no such filter");
    mesh.set(allow("reads", "orders", "somebody-else", 2));
    mesh.graph.tick();
    await ledger.heard("uid-of-orders-1 refuses inbound/8080: no such filter");
    expect(acknowledgements.ledger.stateOf("AccessPolicy/shop/reads", "uid-of-orders-1")).toContain("/1 ");
    sidecar.accept();
    mesh.set(allow("reads", "orders", "web", 3));
    mesh.graph.tick();
    await ledger.heard("uid-of-orders-1 refuses nothing");
    expect(acknowledgements.ledger.stateOf("AccessPolicy/shop/reads", "uid-of-orders-1")).toContain("/3 ");
  });

  it("is nothing any more of a policy that is deleted", async () => {
    await connect("orders-1");
    await ledger.heard("uid-of-orders-1 runs reads 1");
    mesh.delete("AccessPolicy", "shop", "reads");
    mesh.graph.tick();
    await Promise.resolve();
    expect([...acknowledgements.ledger.acknowledgements()]).toEqual([]);
    mesh.set(allow("reads", "orders", "web"));
    mesh.graph.tick();
    await ledger.heard("uid-of-orders-1 runs reads 1");
  });

  it("is shown anew by a pod whose labels make it another workload", async () => {
    mesh.set(
      policy("RateLimitPolicy", "few", 1, {
        targetSelectors: [{ kind: "Pod", matchLabels: { tier: "gold" } }],
        limits: [{ name: "few", requests: 5, window: "1m" }],
      }),
    );
    mesh.graph.tick();
    const sidecar = await connect("orders-1");
    await ledger.heard("uid-of-orders-1 runs reads 1");
    expect(acknowledgements.ledger.stateOf("RateLimitPolicy/shop/few", "uid-of-orders-1")).toBeUndefined();
    sidecar.hold();
    mesh.set(pod("orders-1", { labels: { app: "orders", tier: "gold" } }));
    mesh.graph.tick();
    await Promise.resolve();
    expect(acknowledgements.ledger.stateOf("RateLimitPolicy/shop/few", "uid-of-orders-1")).toBeUndefined();
    sidecar.accept();
    await ledger.heard("uid-of-orders-1 runs few 1");
  });

  it("is not heard from the stream of an earlier pod of the same name", async () => {
    await connect("orders-1");
    await ledger.heard("uid-of-orders-1 runs reads 1");
    mesh.set(pod("orders-1", { uid: "uid-of-the-next" }));
    mesh.graph.tick();
    await Promise.resolve();
    expect(acknowledgements.ledger.speaksOf("uid-of-orders-1")).toBe(false);
    expect(acknowledgements.ledger.speaksOf("uid-of-the-next")).toBe(false);
    await connect("orders-1", "accept", "uid-of-the-next");
    await ledger.heard("uid-of-the-next runs reads 1");
  });

  it("is for the replica to tell that the sidecar is connected to", async () => {
    const sidecar = await connect("orders-1");
    await ledger.heard("uid-of-orders-1 runs reads 1");
    sidecar.close();
    await until("the sidecar is forgotten", () => !acknowledgements.ledger.speaksOf("uid-of-orders-1"));
    expect(ledger.events).not.toContain("uid-of-orders-1 must show reads");
  });
});
