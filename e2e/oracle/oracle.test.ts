/**
 * The oracle: in generated worlds of policies, every generated request is answered by a real Envoy as the plain semantics
 * (controller/explain/decide.ts) say, down to the policy that the log names. `ORACLE_SEED` repeats a run and
 * `ORACLE_RUNS` is its number of worlds.
 */
import { beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { disagreements } from "./compare.ts";
import { OracleSidecar, type SentRequest } from "./oracle-sidecar.ts";
import { keepRegression, regressions } from "./regressions.ts";
import { runSettings } from "./run-settings.ts";
import { onTheWire, asReceived } from "./wire.ts";
import { world as worlds } from "./world-arbitrary.ts";
import { callIn, callRecipe, type OracleCall } from "./world-request.ts";
import type { OracleWorld } from "./world.ts";

const MOST_CALLS_PER_WORLD = 24;

let sidecar: OracleSidecar;
const counts = { requests: 0, unsendable: 0, byStatus: new Map<string, number>(), byDecider: new Map<string, number>() };

beforeAll(async () => {
  sidecar = await OracleSidecar.start();
});

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

interface Disagreement {
  readonly call: OracleCall;
  readonly title: string;
  readonly detail: string;
}

/** Lets the world be in force, makes the calls, and says in words where Envoy and the plain semantics disagree. */
async function judge(world: OracleWorld, calls: readonly OracleCall[]): Promise<Disagreement[]> {
  const { mesh } = sidecar;
  mesh.become(world);
  await mesh.acknowledged();
  const now = Math.floor(Date.now() / 1000);
  const sent = await Promise.all(
    calls.map(async ({ port, request }): Promise<SentRequest & { readonly request: Awaited<ReturnType<typeof onTheWire>> }> => {
      const id = sidecar.nextId();
      const wire = await onTheWire(request, mesh.mint, now);
      const { version, identity, peerAddress } = request;
      return { id, way: { version, identity, peerAddress, port }, request: { ...wire, headers: [...wire.headers, ["x-request-id", id]] } };
    }),
  );
  const seen = await sidecar.ask(sent);
  const found: Disagreement[] = [];
  for (const [index, call] of calls.entries()) {
    const { port, request } = call;
    const { method, path, authority, headers } = asReceived(request.version, sent[index]!.request);
    const observation = seen[index]!;
    const { peerAddress, identity } = request;
    const caller = { peerAddress, ...(identity === undefined ? {} : { identity }), jwts: [] };
    const decision = await mesh.decide(port, { method, path, host: authority, headers, ...caller }, now);
    const status = String(observation.status);
    counts.requests += 1;
    if (status === "unsendable") counts.unsendable += 1;
    count(counts.byStatus, status);
    count(
      counts.byDecider,
      `${decision.verdict} by ${decision.policy.split("/")[0] ?? ""}${decision.audit === undefined ? "" : ", audit differs"}`,
    );
    const differing = disagreements(request, decision, observation);
    if (differing.length > 0) {
      const detail = `Envoy: ${JSON.stringify(observation)}\ndecide: ${JSON.stringify(decision)}`;
      found.push({ call, title: differing.join("; "), detail });
    }
  }
  return found;
}

describe("the oracle", () => {
  it("still agrees where it once did not", async () => {
    for (const { file, title, world, calls } of regressions()) {
      expect({ file, title, found: await judge(world, calls) }).toEqual({ file, title, found: [] });
    }
  });

  it("agrees with a real Envoy about every generated request in every generated world", async () => {
    const { seed, numRuns } = runSettings("oracle against Envoy, in worlds", 400);
    const calls = fc.array(callRecipe, { minLength: 1, maxLength: MOST_CALLS_PER_WORLD, size: "max" });
    let failure: { readonly world: OracleWorld; readonly found: Disagreement } | undefined;
    const result = await fc.check(
      fc.asyncProperty(worlds, calls, async (world, made) => {
        const found = await judge(
          world,
          made.map((recipe) => callIn(world, recipe)),
        );
        if (found[0] !== undefined) failure = { world, found: found[0] };
        return found.length === 0;
      }),
      { seed, numRuns, endOnFailure: process.env["ORACLE_SHRINK"] === "0" },
    );
    const list = (map: ReadonlyMap<string, number>): string =>
      [...map]
        .sort(([, a], [, b]) => b - a)
        .map(([key, n]) => `${n} ${key}`)
        .join(", ");
    process.stderr.write(
      `oracle against Envoy: ${counts.requests} requests (${counts.unsendable} that no client frames) in ${result.numRuns} worlds; ` +
        `by status: ${list(counts.byStatus)}; decided: ${list(counts.byDecider)}\n`,
    );
    if (!result.failed) {
      expect(counts.requests).toBeGreaterThanOrEqual(numRuns < 400 ? 1 : 2000);
      return;
    }
    if (failure === undefined) throw result.errorInstance;
    // The last failure is the smallest.
    const { world, found } = failure;
    const file = keepRegression({ title: found.title, world, calls: [found.call] });
    throw new Error(
      `ORACLE_SEED=${seed}: kept as ${file}\n${found.title}\n${found.detail}\n${JSON.stringify({ world, call: found.call })}`,
    );
  }, 1_800_000);
});
