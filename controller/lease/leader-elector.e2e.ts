/**
 * Contenders for one Lease, against a real API server. Time is the test's own, and passes only while nobody waits for an
 * answer of the server: how long those take decides nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type ApiServer, startApiServer } from "../../e2e/cluster/api-server.ts";
import { PATIENCE_MS } from "../../e2e/support/eventually.ts";
import { FakeClock } from "../../xds-server/delta/testing/fake-clock.ts";
import { connectKubernetes, type KubernetesConnection } from "../kubernetes/connect.ts";
import type { ApiRequest, KubernetesApi, PatchType, WatchEvent } from "../kubernetes/api.ts";
import { KubernetesApiError } from "../kubernetes/api.ts";
import type { LeaseClock } from "./lease-clock.ts";
import { LeaderElector, type LeaderElectorOptions } from "./leader-elector.ts";

let server: ApiServer;
let connection: KubernetesConnection;
beforeAll(async () => {
  server = await startApiServer();
  connection = await connectKubernetes({ kubeconfig: server.kubeconfig });
});
afterAll(async () => {
  connection.close();
  await server.stop();
});

/** The API server as one contender reaches it: until the line is cut. */
class Line implements KubernetesApi {
  cut = false;
  /** Calls that are not answered yet. */
  asking = 0;

  get server(): string {
    return connection.api.server;
  }

  get(request: ApiRequest): Promise<unknown> {
    return this.#through(() => connection.api.get(request));
  }

  create(request: ApiRequest, object: unknown): Promise<unknown> {
    return this.#through(() => connection.api.create(request, object));
  }

  replace(request: ApiRequest, object: unknown): Promise<unknown> {
    return this.#through(() => connection.api.replace(request, object));
  }

  patch(request: ApiRequest, type: PatchType, patch: unknown): Promise<unknown> {
    return this.#through(() => connection.api.patch(request, type, patch));
  }

  delete(request: ApiRequest): Promise<unknown> {
    return this.#through(() => connection.api.delete(request));
  }

  watch(request: ApiRequest, onEvent: (event: WatchEvent) => void): Promise<void> {
    return connection.api.watch(request, onEvent);
  }

  async #through<T>(call: () => Promise<T>): Promise<T> {
    if (this.cut) throw new KubernetesApiError(undefined, "Unreachable", "the line is cut");
    this.asking++;
    try {
      return await call();
    } finally {
      this.asking--;
    }
  }
}

/** Milliseconds that pass at once; less than any time of an election. */
const STEP_MS = 100;

interface Contest {
  readonly name: string;
  /** What happened, in order: `a leads`, `a follows`. */
  readonly events: string[];
  /** `skew`: by how much its wall clock is off. */
  readonly contender: (
    identity: string,
    options?: Partial<LeaderElectorOptions> & { readonly line?: Line; readonly skew?: number },
  ) => LeaderElector;
  /** Lets time pass until it has happened. */
  readonly until: (...oneOf: readonly string[]) => Promise<void>;
  /** Lets time pass until it holds. */
  readonly untilItHolds: (what: string, holds: () => Promise<boolean> | boolean) => Promise<void>;
}

let contests = 0;
function contest(): Contest {
  const name = `contest-${contests++}`;
  const events: string[] = [];
  const lines: Line[] = [];
  const clock = new FakeClock();
  const pass = async (): Promise<void> => {
    // Between two calls of one attempt there is no pause.
    do await new Promise(setImmediate);
    while (lines.some(({ asking }) => asking > 0));
    clock.advance(STEP_MS);
  };
  const untilItHolds = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> => {
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`it did not come to it that ${what}; what happened: ${events.join(", ")}`);
      await pass();
    }
  };
  return {
    name,
    events,
    contender: (identity, { line = new Line(), skew = 0, ...options } = {}) => {
      const ownClock: LeaseClock = {
        monotonic: () => clock.now(),
        now: () => clock.now() + skew,
        after: (milliseconds, call) => clock.after(milliseconds, call),
      };
      lines.push(line);
      const elector = new LeaderElector({ api: line, namespace: "default", name, identity, clock: ownClock, ...options });
      elector.onChange(() => events.push(`${identity} ${elector.leading ? "leads" : "follows"}`));
      return elector;
    },
    until: (...oneOf) => untilItHolds(oneOf.join(" or "), () => oneOf.some((event) => events.includes(event))),
    untilItHolds,
  };
}

async function holderOf(name: string): Promise<string | undefined> {
  const lease = await connection.api.get({ path: `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}` });
  return (lease as { spec: { holderIdentity?: string } }).spec.holderIdentity;
}

describe("leader election", () => {
  it("gives the Lease to one of many, and to another at once when that one stops", async () => {
    const { name, events, contender, until, untilItHolds } = contest();
    const a = contender("a");
    a.start();
    await until("a leads");
    const b = contender("b", { leaseDurationMs: 3_600_000 });
    const holders: (string | undefined)[] = [];
    const c = contender("c", { leaseDurationMs: 3_600_000 });
    c.onHolderChange(() => holders.push(c.holder));
    b.start();
    c.start();
    await untilItHolds("both see who leads", () => b.holder === "a" && c.holder === "a");
    expect(await holderOf(name)).toBe("a");
    await a.close();
    await until("b leads", "c leads");
    expect(events.slice(0, 2)).toEqual(["a leads", "a follows"]);
    expect(events).toHaveLength(3);
    expect(a.leading).toBe(false);
    expect([b.leading, c.leading].filter(Boolean)).toHaveLength(1);
    const winner = b.leading ? "b" : "c";
    expect(await holderOf(name)).toBe(winner);
    await (b.leading ? b : c).close();
    await until(winner === "b" ? "c leads" : "b leads");
    expect(holders[0]).toBe("a");
    expect(holders.at(-1)).toBe(c.holder);
    await Promise.all([b.close(), c.close()]);
  });

  it("passes from a leader that is cut off only after that one has given up", async () => {
    const { events, contender, until } = contest();
    const line = new Line();
    const a = contender("a", { line });
    a.start();
    await until("a leads");
    const b = contender("b");
    b.start();
    line.cut = true;
    await until("b leads");
    expect(events).toEqual(["a leads", "a follows", "b leads"]);
    line.cut = false;
    await Promise.all([a.close(), b.close()]);
    expect(events).toEqual(["a leads", "a follows", "b leads", "b follows"]);
  });

  it.each([
    ["behind", -300_000],
    ["ahead", 300_000],
  ])("leaves a living leader alone whose clock is five minutes %s", async (_word, skew) => {
    const { name, events, contender, until, untilItHolds } = contest();
    const a = contender("a", { skew });
    a.start();
    await until("a leads");
    const b = contender("b");
    b.start();
    // Well over one duration of the Lease, counted in what was seen of it.
    const seen = new Set<string>();
    await untilItHolds("the Lease is renewed 15 times", async () => seen.add(await renewTimeOf(name)).size > 15);
    expect(events).toEqual(["a leads"]);
    await a.close();
    await until("b leads");
    await b.close();
  });

  it("takes a Lease over whose holder died with a clock five minutes ahead", async () => {
    const { name, events, contender, until } = contest();
    const line = new Line();
    const a = contender("a", { line, skew: 300_000 });
    a.start();
    await until("a leads");
    line.cut = true;
    const b = contender("b");
    b.start();
    await until("b leads");
    expect(events).toEqual(["a leads", "a follows", "b leads"]);
    expect(await holderOf(name)).toBe("b");
    await Promise.all([a.close(), b.close()]);
  });

  it("goes on leading when somebody deletes the Lease", async () => {
    const { name, events, contender, until, untilItHolds } = contest();
    const a = contender("a");
    a.start();
    await until("a leads");
    await connection.api.delete({ path: `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}` });
    await untilItHolds("the Lease is a's again", async () => (await holderOf(name).catch(() => undefined)) === "a");
    expect(events).toEqual(["a leads"]);
    await a.close();
  });

  it("stops leading as soon as it sees another in its place", async () => {
    const { name, contender, until } = contest();
    const a = contender("a");
    a.start();
    await until("a leads");
    const path = `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}`;
    await connection.api.patch({ path }, "application/merge-patch+json", { spec: { holderIdentity: "usurper" } });
    await until("a follows");
    expect(await holderOf(name)).toBe("usurper");
    await a.close();
    expect(await holderOf(name)).toBe("usurper");
  });
});

async function renewTimeOf(name: string): Promise<string> {
  const lease = await connection.api.get({ path: `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}` });
  return (lease as { spec: { renewTime: string } }).spec.renewTime;
}
