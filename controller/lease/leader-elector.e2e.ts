/** Contenders for one Lease, against a real API server. Times are short, and nothing is asserted about them but their order. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type ApiServer, startApiServer } from "../../e2e/cluster/api-server.ts";
import { connectKubernetes, type KubernetesConnection } from "../kubernetes/connect.ts";
import type { ApiRequest, KubernetesApi, PatchType, WatchEvent } from "../kubernetes/api.ts";
import { KubernetesApiError } from "../kubernetes/api.ts";
import { type LeaseClock, systemLeaseClock } from "./lease-clock.ts";
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

  #through<T>(call: () => Promise<T>): Promise<T> {
    return this.cut ? Promise.reject(new KubernetesApiError(undefined, "Unreachable", "the line is cut")) : call();
  }
}

interface Contest {
  readonly name: string;
  /** What happened, in order: `a leads`, `a follows`. */
  readonly events: string[];
  readonly contender: (identity: string, options?: Partial<LeaderElectorOptions>) => LeaderElector;
  /** Resolves when it has happened. */
  readonly until: (event: string) => Promise<void>;
}

let contests = 0;
function contest(): Contest {
  const name = `contest-${contests++}`;
  const events: string[] = [];
  const waiting = new Set<() => void>();
  return {
    name,
    events,
    contender: (identity, options = {}) => {
      const elector = new LeaderElector({
        api: connection.api,
        namespace: "default",
        name,
        identity,
        leaseDurationMs: 2_000,
        renewDeadlineMs: 1_000,
        retryPeriodMs: 200,
        ...options,
      });
      elector.onChange(() => {
        events.push(`${identity} ${elector.leading ? "leads" : "follows"}`);
        for (const check of waiting) check();
      });
      return elector;
    },
    until: (event) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!events.includes(event)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
}

async function holderOf(name: string): Promise<string | undefined> {
  const lease = await connection.api.get({ path: `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}` });
  return (lease as { spec: { holderIdentity?: string } }).spec.holderIdentity;
}

/** A clock whose wall time is off by so much. */
function skewed(byMs: number): LeaseClock {
  return { ...systemLeaseClock, now: () => Date.now() + byMs };
}

describe("leader election", () => {
  it("gives the Lease to one of many, and to another at once when that one stops", async () => {
    const { name, events, contender, until } = contest();
    const a = contender("a");
    a.start();
    await until("a leads");
    const b = contender("b", { leaseDurationMs: 3_600_000 });
    const holders: (string | undefined)[] = [];
    const c = contender("c", { leaseDurationMs: 3_600_000 });
    c.onHolderChange(() => holders.push(c.holder));
    b.start();
    c.start();
    expect(await holderOf(name)).toBe("a");
    await a.close();
    await Promise.race([until("b leads"), until("c leads")]);
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
    const a = contender("a", { api: line });
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
    const { name, events, contender, until } = contest();
    let renewals = 0;
    const a = contender("a", { clock: skewed(skew) });
    a.start();
    await until("a leads");
    const b = contender("b");
    b.start();
    // Well over one duration of the Lease, counted in what was seen of it.
    let seen = await renewTimeOf(name);
    while (renewals < 15) {
      const now = await renewTimeOf(name);
      if (now !== seen) renewals++;
      seen = now;
    }
    expect(events).toEqual(["a leads"]);
    await a.close();
    await until("b leads");
    await b.close();
  });

  it("takes a Lease over whose holder died with a clock five minutes ahead", async () => {
    const { name, events, contender, until } = contest();
    const line = new Line();
    const a = contender("a", { api: line, clock: skewed(300_000) });
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
    const { name, events, contender, until } = contest();
    const a = contender("a");
    a.start();
    await until("a leads");
    await connection.api.delete({ path: `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}` });
    while ((await holderOf(name).catch(() => undefined)) !== "a");
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
