import { beforeAll, describe, expect, it } from "@jest/globals";
import type { Identity } from "../../ca/spiffe.ts";
import type { HeaderLine, HostileRequest, HttpAnswer } from "../../e2e/support/http-client.ts";
import { type PolicySidecar, startPolicySidecar } from "../../e2e/support/policy-sidecar.ts";
import { ASK } from "../../e2e/support/upstream.ts";
import { type AuthenticationPolicy, translate as translateAuthentication } from "../authentication-policy/index.ts";
import { inSeconds, tokenIssuer } from "../authentication-policy/testing/token-issuer.ts";
import type { InboundHttpContribution } from "../core/contribution.ts";
import type { PolicyRequest, VerifiedJwt } from "../core/request.ts";
import { type Buckets, evaluate, type LimitStage, limitsOf, type RateLimitPolicy, type RateLimitPolicySpec, translate } from "./index.ts";

const issuer = tokenIssuer("https://idp.example.com");
const web: Identity = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
const cart: Identity = { ...web, serviceAccount: "cart" };
const port = { number: 8080, name: "http", protocol: "HTTP" } as const;

type Limit = RateLimitPolicySpec["limits"][number];
const policy = (name: string, limits: readonly Limit[], enforcement: "Enforce" | "Audit" = "Enforce"): RateLimitPolicy => ({
  apiVersion: "seawall.dev/v1alpha1",
  kind: "RateLimitPolicy",
  metadata: { name, namespace: "shop" },
  spec: { enforcement, limits: [...limits] },
});
/** So slow that a test never sees it refill. */
const slowly = { window: "24h" };

const scenarios = {
  unkeyed: [policy("all", [{ name: "all", requests: 3, ...slowly }])],
  logged: [policy("logged", [{ name: "all", requests: 1, ...slowly }])],
  identity: [policy("identity", [{ name: "each", per: [{ type: "Identity" }], requests: 2, ...slowly }])],
  values: [policy("values", [{ name: "tenant", per: [{ type: "Header", name: "X-Tenant" }], requests: 2, ...slowly }])],
  header: [policy("header", [{ name: "tenant", per: [{ type: "Header", name: "X-Tenant" }], requests: 2, ...slowly }])],
  claim: [
    policy("claim", [
      { name: "user", per: [{ type: "Claim", name: "sub", issuer: issuer.name }], requests: 2, ...slowly },
      { name: "tenant", per: [{ type: "Claim", name: "/realm/tenant", issuer: issuer.name }], requests: 3, ...slowly },
    ]),
  ],
  pair: [policy("pair", [{ name: "pair", per: [{ type: "Identity" }, { type: "Header", name: "x-tenant" }], requests: 1, ...slowly }])],
  some: [
    policy("some", [
      {
        name: "writes",
        to: [{ methods: ["POST", "PUT"] }, { paths: ["/orders/{id}"], hosts: ["orders"] }, { ports: [9999] }],
        requests: 3,
        ...slowly,
      },
    ]),
  ],
  elsewhere: [policy("elsewhere", [{ name: "other-port", to: [{ ports: ["metrics"] }], requests: 1, ...slowly }])],
  two: [
    policy("b-loose", [{ name: "loose", requests: 10, ...slowly }]),
    policy("a-tight", [{ name: "tight", per: [{ type: "Header", name: "x-tenant" }], requests: 2, ...slowly }]),
  ],
  "two-reversed": [
    policy("a-loose", [{ name: "loose", requests: 10, ...slowly }]),
    policy("b-tight", [{ name: "tight", per: [{ type: "Header", name: "x-tenant" }], requests: 2, ...slowly }]),
  ],
  address: [policy("address", [{ name: "attempts", per: [{ type: "Address" }], requests: 3, ...slowly }])],
  "address-claimed": [policy("address-claimed", [{ name: "attempts", per: [{ type: "Address" }], requests: 1, ...slowly }])],
  burst: [policy("burst", [{ name: "burst", requests: 2, burst: 5, window: "20h" }])],
  status: [policy("status", [{ name: "busy", requests: 1, ...slowly, onExceed: { action: "Reject", status: 503 } }])],
  grpc: [policy("grpc", [{ name: "busy", requests: 1, ...slowly, onExceed: { action: "Reject", status: 503 } }])],
  audit: [policy("audit", [{ name: "watched", requests: 1, ...slowly }], "Audit")],
  refill: [policy("refill", [{ name: "quick", requests: 2, burst: 1, window: "1s" }])],
  edited: [policy("edited", [{ name: "once", requests: 1, ...slowly }])],
  full: [
    policy(
      "a-first",
      [1, 2, 3, 4, 5, 6, 7].map((number) => ({ name: `limit-${number}`, requests: 100, ...slowly })),
    ),
    policy(
      "b-second",
      [1, 2].map((number) => ({ name: `limit-${number}`, requests: 100, ...slowly })),
    ),
  ],
} satisfies Record<string, readonly RateLimitPolicy[]>;
type Scenario = keyof typeof scenarios;

const authentication = (anonymous: "Deny" | "Allow"): InboundHttpContribution => {
  const accept = [{ jwt: { issuer: issuer.name, jwks: { inline: issuer.jwks } } }];
  const metadata = { name: "tokens", namespace: "shop" };
  const object: AuthenticationPolicy = {
    apiVersion: "seawall.dev/v1alpha1",
    kind: "AuthenticationPolicy",
    metadata,
    spec: { accept, anonymous },
  };
  return translateAuthentication(object, port, () => ({ state: "pending", error: "never asked" }));
};

let sidecar: PolicySidecar;
beforeAll(async () => {
  const contributions = Object.entries(scenarios).map(([name, policies]) => {
    const proof = name === "claim" ? [authentication("Allow")] : name.startsWith("address") ? [authentication("Deny")] : [];
    return [name, [translate(policies, port).contribution, ...proof]] as const;
  });
  sidecar = await startPolicySidecar(Object.fromEntries(contributions));
});

const buckets = new Map<Scenario, Buckets>();

interface Sent extends Partial<HostileRequest> {
  readonly as?: Identity;
  /** Claims of the token that is sent. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Sends a request, and holds `evaluate` to what Envoy did with it. */
async function send(scenario: Scenario, { as, claims, ...request }: Sent = {}): Promise<HttpAnswer> {
  const token: HeaderLine[] = claims === undefined ? [] : [["authorization", `Bearer ${issuer.token(claims)}`]];
  const headers = [...(request.headers ?? []), ...token];
  const answer = await sidecar.send(scenario, { ...request, headers }, as);
  const jwts: VerifiedJwt[] = claims === undefined ? [] : [{ issuer: issuer.name, claims: { sub: "alice", ...claims } }];
  const asked: PolicyRequest = {
    method: request.method ?? "GET",
    path: request.path ?? "/",
    host: request.authority ?? "orders",
    headers: headers.map(([name, value]) => [name.toLowerCase(), value]),
    peerAddress: "127.0.0.1",
    jwts,
    ...(as === undefined ? {} : { identity: as }),
  };
  const stages: readonly LimitStage[] = answer.status === 401 ? ["before-authentication"] : ["before-authentication", "after-access"];
  for (const stage of stages) {
    const result = evaluate(limitsOf(scenarios[scenario]), stage, asked, port, buckets.get(scenario) ?? new Map(), 0);
    buckets.set(scenario, result.buckets);
    if (result.refused !== undefined) {
      expect([answer.status, result.refused.by]).toEqual([result.refused.status, result.refused.by]);
      return answer;
    }
  }
  expect([200, 401]).toContain(answer.status);
  return answer;
}

async function statuses(scenario: Scenario, requests: readonly Sent[]): Promise<number[]> {
  const found: number[] = [];
  for (const request of requests) found.push((await send(scenario, request)).status);
  return found;
}

const times = (count: number, request: Sent = {}): Sent[] => Array.from({ length: count }, () => request);
const tenant = (...values: readonly string[]): Sent => ({ headers: values.map((value) => ["x-tenant", value]) });
const valuesOf = (answer: HttpAnswer, name: string): string[] =>
  answer.headers.filter(([header]) => header === name).map(([, value]) => value);
const rateHeaders = (answer: HttpAnswer): string[][] =>
  ["x-ratelimit-limit", "x-ratelimit-remaining"].map((name) => valuesOf(answer, name));

describe("a limit", () => {
  it("without keys has one bucket for all", async () => {
    expect(await statuses("unkeyed", [{}, tenant("a"), { as: web }, {}, { as: cart }])).toEqual([200, 200, 200, 429, 429]);
  });

  it("per identity has a bucket for each, and one for all who have none", async () => {
    expect(await statuses("identity", [...times(3, { as: web }), ...times(3, { as: cart }), ...times(3)])).toEqual([
      ...[200, 200, 429],
      ...[200, 200, 429],
      ...[200, 200, 429],
    ]);
  });

  it("per header has a bucket for each value, and one for requests without it", async () => {
    expect(await statuses("header", [...times(3, tenant("a")), ...times(3, tenant("b")), ...times(3)])).toEqual([
      ...[200, 200, 429],
      ...[200, 200, 429],
      ...[200, 200, 429],
    ]);
  });

  it("takes an empty value for a value, `(none)` for none, and several lines as one value", async () => {
    expect(
      await statuses("values", [
        ...[...times(3, tenant("")), ...times(2), tenant("(none)")],
        ...[...times(2, tenant("c", "d")), tenant("c,d"), tenant("d", "c")],
      ]),
    ).toEqual([...[200, 200, 429], ...[200, 200, 429], ...[200, 200, 429], 200]);
  });

  it("per claim has a bucket for each value that is a string, nested or not, and one for all else", async () => {
    const nested = { sub: "dora", realm: { tenant: "t1" } };
    expect(await statuses("claim", times(3, { claims: { sub: "bob", realm: { tenant: "t0" } } }))).toEqual([200, 200, 429]);
    expect(
      await statuses("claim", [
        ...times(2, { claims: nested }),
        { claims: { ...nested, sub: "eve" } },
        { claims: { ...nested, sub: "fay" } },
      ]),
    ).toEqual([...[200, 200], 200, 429]);
    expect(
      await statuses("claim", [
        {},
        { claims: { sub: "gus", realm: { tenant: 7 } } },
        { claims: { sub: "hal", realm: { tenant: ["x"] } } },
        { claims: { sub: "ida" } },
      ]),
    ).toEqual([200, 200, 200, 429]);
  });

  it("per two keys has a bucket for each pair", async () => {
    expect(
      await statuses("pair", [
        { as: web, ...tenant("a") },
        { as: web, ...tenant("b") },
        { as: cart, ...tenant("a") },
        { as: web, ...tenant("a") },
        {},
        {},
      ]),
    ).toEqual([...[200, 200, 200], 429, ...[200, 429]]);
  });

  it("counts only what its `to` matches, and that once though two items match", async () => {
    const write: Sent = { method: "POST", path: "/orders/7" };
    const read: Sent = { path: "/orders/7?x=y" };
    expect(await statuses("some", [...times(3), write, read, ...times(2), read, write, { method: "PUT" }, {}])).toEqual([
      ...[200, 200, 200],
      ...[200, 200],
      ...[200, 200],
      200,
      ...[429, 429],
      200,
    ]);
    expect(rateHeaders(await send("some"))).toEqual([[], []]);
  });

  it("of another port counts nothing here", async () => {
    expect(await statuses("elsewhere", times(3))).toEqual([200, 200, 200]);
  });

  it("admits a burst larger than what a window gives", async () => {
    expect(await statuses("burst", times(6))).toEqual([200, 200, 200, 200, 200, 429]);
  });

  it("admits again when its bucket has refilled", async () => {
    const twice = [await sidecar.send("refill", {}), await sidecar.send("refill", {})];
    expect(twice[0]?.status).toBe(200);
    let answer = twice[1];
    while (answer?.status === 429) {
      expect(valuesOf(answer, "retry-after")).toEqual(["1"]);
      answer = await sidecar.send("refill", {});
    }
    expect(answer?.status).toBe(200);
  });
});

describe("a refusal", () => {
  it("says when to come again, and what the limit is", async () => {
    await send("two", tenant("r"));
    await send("two", tenant("r"));
    const refused = await send("two", tenant("r"));
    expect([refused.status, ...rateHeaders(refused)]).toEqual([429, ["2"], ["0"]]);
    const [seconds] = valuesOf(refused, "retry-after").map(Number);
    // Two in a day: the next one comes after twelve hours.
    expect(seconds).toBeGreaterThan(43_000);
    expect(seconds).toBeLessThanOrEqual(43_200);
    expect(valuesOf(refused, "x-ratelimit-reset")).toEqual(valuesOf(refused, "retry-after"));
  });

  it("names its limit in the log and nowhere else", async () => {
    await statuses("logged", times(1));
    const refused = await send("logged", { headers: [["x-request-id", "limited"]] });
    expect(refused.headers.flat().join(" ")).not.toMatch(/seawall|ratelimitpolicy/);
    expect(await sidecar.logged("limited")).toMatchObject({ status: 429, verdict: "limited", policy: "ratelimitpolicy/shop/logged/all" });
  });

  it("has the status that the limit says, with Retry-After all the same", async () => {
    expect(await statuses("status", times(1))).toEqual([200]);
    const refused = await send("status");
    expect([refused.status, valuesOf(refused, "retry-after").length]).toEqual([503, 1]);
  });

  it("speaks gRPC to gRPC", async () => {
    await statuses("grpc", times(1));
    const refused = await sidecar.send("grpc", { method: "POST", headers: [["content-type", "application/grpc"]] });
    expect([refused.status, valuesOf(refused, "grpc-status")]).toEqual([200, ["8"]]);
  });
});

describe("several limits", () => {
  it.each(["two", "two-reversed"] as const)("tell of the tightest one, whichever slot it has (%s)", async (scenario) => {
    expect(rateHeaders(await send(scenario, tenant("x")))).toEqual([["2"], ["1"]]);
    expect(rateHeaders(await send(scenario, tenant("x")))).toEqual([["2"], ["0"]]);
    expect((await send(scenario, tenant("x"))).status).toBe(429);
  });

  it("leave what the application says of its own limits alone when it is tighter", async () => {
    const headers: HeaderLine[] = [
      ["x-tenant", "y"],
      [ASK, "headers=x-ratelimit-limit:5,x-ratelimit-remaining:0,x-ratelimit-reset:9,x-seawall-limit:forged"],
      ["x-request-id", "own-limit"],
    ];
    const answer = await send("two", { headers });
    expect([answer.status, ...rateHeaders(answer), valuesOf(answer, "x-seawall-limit")]).toEqual([200, ["5"], ["0"], []]);
    expect(await sidecar.logged("own-limit")).not.toMatchObject({ verdict: "limited" });
  });

  it("refuse everything when they have no room, under the name of the policy that does not fit", async () => {
    const answer = await sidecar.send("full", { headers: [["x-request-id", "no-room"]] });
    expect(answer.status).toBe(403);
    expect(await sidecar.logged("no-room")).toMatchObject({ policy: "ratelimitpolicy/shop/b-second/invalid" });
  });
});

describe("a limit per address", () => {
  it("counts attempts with bad credentials", async () => {
    const bad: Sent = { headers: [["authorization", `Bearer ${issuer.token({ exp: inSeconds(-600) })}`]] };
    expect(await statuses("address", [bad, {}, bad, bad, { claims: {} }])).toEqual([401, 401, 401, 429, 429]);
  });

  it("does not believe what the caller says of its address", async () => {
    const claimed: Sent = { claims: {}, headers: [["x-forwarded-for", "192.0.2.1"]] };
    expect(await statuses("address-claimed", [{ claims: {} }, claimed])).toEqual([200, 429]);
  });
});

describe("an audited limit", () => {
  it("refuses nobody, tells callers nothing and names itself in the request that it would have refused", async () => {
    const first = await send("audit", { headers: [["x-seawall-audited-limit", "forged"]] });
    expect(first.body).not.toContain("x-seawall-audited-limit");
    const second = await send("audit");
    expect([second.status, ...rateHeaders(second)]).toEqual([200, [], []]);
    expect(JSON.parse(second.body)).toMatchObject({
      headers: expect.arrayContaining([["x-seawall-audited-limit", "ratelimitpolicy/shop/audit/watched"]]) as unknown,
    });
    const stats = await sidecar.envoy.stats("shop\\.audit\\.watched");
    expect([...stats].find(([name]) => name.endsWith(".rate_limited"))?.[1]).toBe(1);
  });
});

describe("an edit", () => {
  it("of a port's policies starts its limits anew: Envoy keeps buckets with the routes", async () => {
    const { contribution } = translate(scenarios.edited, port);
    expect(await statuses("edited", times(2))).toEqual([200, 429]);
    await sidecar.update("edited", [contribution, { metadata: { edited: "yes" } }]);
    expect((await sidecar.send("edited", {})).status).toBe(200);
    expect((await sidecar.send("edited", {}, web)).status).toBe(429);
  });
});

describe("policies of one port", () => {
  it("are reported where they do not fit, by name whatever their order", () => {
    const { violations } = translate([...scenarios.full].reverse(), port);
    expect([...violations].map(([name, [found]]) => [name, found?.reason, found?.severity])).toEqual([
      ["shop/b-second", "TooMany", "error"],
    ]);
  });

  it("do not apply to TCP, and say so", () => {
    const { contribution, violations } = translate(scenarios.unkeyed, { number: 5432, protocol: "TCP" });
    expect(contribution).toEqual({});
    expect([...violations].map(([name, [found]]) => [name, found?.reason, found?.severity])).toEqual([
      ["shop/all", "NotSupported", "warning"],
    ]);
  });
});
