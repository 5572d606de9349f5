/** What a real Envoy makes of the routes. */
import { beforeAll, describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { headerOf, type HttpAnswer } from "../../e2e/support/http-client.ts";
import { ASK, type ReceivedRequest } from "../../e2e/support/upstream.ts";
import { changeHeaders, evaluateServicePort, type RouteDecision, type RouteRequest } from "./evaluate.ts";
import type { HttpRoute, RouteFilter } from "./schema.ts";
import { ORDERS, ordersRoute, readRoutes, shop } from "./testing/shop.ts";
import { clusterName, type RoutingEnvoy, startRoutingEnvoy } from "./testing/routing-envoy.ts";
import { translateServicePort } from "./translate.ts";

const fileRoutes = (folder: string, file: string): HttpRoute[] => readRoutes(readFileSync(join(import.meta.dirname, folder, file), "utf8"));
const orders = { name: "orders", port: 80 };
const rewrite = (prefix: string, replacement: string): NonNullable<HttpRoute["spec"]["rules"]>[number] => ({
  matches: [{ path: { value: prefix } }],
  filters: [{ type: "URLRewrite", urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: replacement } } }],
  backendRefs: [orders],
});
const redirect = (path: string, requestRedirect: NonNullable<RouteFilter["requestRedirect"]>): ReturnType<typeof rewrite> => ({
  matches: [{ path: { type: "Exact", value: path } }],
  filters: [{ type: "RequestRedirect", requestRedirect }],
});

const TO_THE_OTHER = (from: string, to: string): HttpRoute => ({
  ...ordersRoute([{ backendRefs: [{ name: to, port: 80 }] }], { name: `from-${from}` }),
  spec: { parentRefs: [{ group: "", kind: "Service", name: from }], rules: [{ backendRefs: [{ name: to, port: 80 }] }] },
});

const ROUTES = {
  "no-route.test": fileRoutes("testdata", "no-route.in.yaml"),
  "precedence.test": fileRoutes("testdata", "precedence.in.yaml"),
  "backends.test": fileRoutes("testdata", "backends.in.yaml"),
  "filters.test": fileRoutes("testdata", "filters.in.yaml"),
  "canary.test": fileRoutes("examples", "canary.yaml"),
  "addresses.test": fileRoutes("examples", "rewrite-and-redirect.yaml"),
  "prefixes.test": [
    ordersRoute([
      rewrite("/plain", "/xyz"),
      rewrite("/slash", "/xyz/"),
      rewrite("/both/", "/xyz/"),
      rewrite("/empty", ""),
      rewrite("/root", "/"),
    ]),
  ],
  "redirects.test": [
    ordersRoute([
      redirect("/https", { scheme: "https" }),
      redirect("/host", { hostname: "example.org" }),
      redirect("/port", { port: 8083 }),
      redirect("/port-and-host", { hostname: "example.org", port: 8083, statusCode: 303 }),
      redirect("/default-port", { hostname: "example.org", scheme: "https", port: 443 }),
      redirect("/path", { path: { type: "ReplaceFullPath", replaceFullPath: "/new" }, statusCode: 308 }),
    ]),
  ],
  "authority.test": [
    ordersRoute([
      { matches: [{ headers: [{ name: "Host", value: "authority.test:8080" }] }], backendRefs: [{ name: "orders-v2", port: 80 }] },
      { backendRefs: [orders] },
    ]),
  ],
  "timeouts.test": [
    ordersRoute([
      { matches: [{ path: { value: "/request" } }], backendRefs: [orders], timeouts: { request: "100ms" } },
      { matches: [{ path: { value: "/backend" } }], backendRefs: [orders], timeouts: { backendRequest: "100ms" } },
    ]),
  ],
  "mirror.test": [
    ordersRoute([
      {
        filters: [
          { type: "RequestMirror", requestMirror: { backendRef: { name: "audit", port: 80 } } },
          { type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name: "x-seen", value: "100%" }] } },
        ],
        backendRefs: [orders],
      },
    ]),
  ],
} as const satisfies Record<string, readonly HttpRoute[]>;

const MUTUAL = [TO_THE_OTHER("orders", "orders-v2"), TO_THE_OTHER("orders-v2", "orders")];
const ORDERS_V2 = { ...ORDERS, service: "orders-v2" };

let running: RoutingEnvoy;
beforeAll(async () => {
  const hosts = Object.fromEntries(
    Object.entries(ROUTES).map(([host, routes]) => [host, translateServicePort(ORDERS, routes, shop, clusterName)]),
  );
  running = await startRoutingEnvoy({
    ...hosts,
    "orders-of-two.test": translateServicePort(ORDERS, MUTUAL, shop, clusterName),
    "orders-v2-of-two.test": translateServicePort(ORDERS_V2, MUTUAL, shop, clusterName),
  });
});

/** For more than a thousand requests, one after the other. */
const MANY_REQUESTS_MS = 900_000;

/** Every request makes one line in the access log, in order. */
let sent = 0;

function send({ method = "GET", path = "/", host, headers = [] }: Partial<RouteRequest> & { readonly host: string }): Promise<HttpAnswer> {
  sent++;
  return running.client.request({ method, path, authority: host, headers });
}

const received = (answer: HttpAnswer): ReceivedRequest => JSON.parse(answer.body) as ReceivedRequest;

describe("matches and filters in a real Envoy", () => {
  const METHODS = ["GET", "DELETE", "HEAD"];
  const PATHS = [
    ...["/", "/a", "/a/", "/ab", "/a/b", "/a/b/", "/a/b/c", "/a/bc", "/a/7", "/a/7/", "/a/%37", "/a/./b", "/a/x/../b", "//a//b", "/A"],
    ...["/headers", "/headers/x", "/old", "/old/", "/old/x/y", "/older", "/cut", "/cut/", "/cut/x", "/full/y", "/none/at", "/nothing"],
    ...["/secure/x", "/host", "/here/x", "/here", "/herein", "/away", "/away/x", "/weightless", "/own", "/basket", "/legacy/orders/3"],
    ...["/a%2fb", "/a%5Cb"],
  ];
  const QUERIES = ["", "?q=1&r=x%20y", "?r=x%20y&q=1", "?q=1&r=x+y", "?q=1&q=2&r=x%20y", "?q=2&q=1&r=x%20y", "?q", "?q=1?r=x%20y"];
  const HEADERS: RouteRequest["headers"][] = [
    [],
    [["x-one", "100%"]],
    [
      ["x-one", "no"],
      ["x-one", "100%"],
    ],
    [["x-one", "no,100%"]],
    [["x-two", "v12"]],
    [["x-two", "v12x"]],
    [
      ["x-version", "v2"],
      ["x-set", "a"],
      ["x-set", "b"],
      ["x-add", "z"],
      ["x-remove", "gone"],
      ["x-debug", "1"],
    ],
  ];

  function expectAsEvaluated(request: RouteRequest, decision: RouteDecision, answer: HttpAnswer): void {
    const context = JSON.stringify({ request, decision, status: answer.status, headers: answer.headers });
    expect([context, outcomeOf(answer)]).toEqual([context, expect.objectContaining(expectedOutcome(decision, answer))]);
    if (decision.kind !== "forward" || answer.status !== 200 || request.method === "HEAD") return;
    const arrived = received(answer);
    const share = decision.shares.find(({ backend }) => backend.kind === "resolved" && backend.port.service === arrived.upstream);
    const lines = (share?.headerChanges ?? []).reduce(changeHeaders, decision.request.headers);
    const relevant = arrived.headers.filter(([name]) => /^x-(one|two|set|add|remove|debug|version|api|backend)$/.test(name));
    expect([context, arrived.path, arrived.host, relevant.map(String).sort()]).toEqual([
      context,
      decision.request.path,
      decision.request.host,
      lines.map(String).sort(),
    ]);
  }

  function routeNameOf(decision: RouteDecision): string | undefined {
    switch (decision.kind) {
      case "bad-path":
        return undefined;
      case "no-rule":
        return "no-rule/shop/orders/80";
      case "unrouted":
        return "default/shop/orders/80";
      case "redirect":
      case "forward":
        return decision.rule;
    }
  }

  function outcomeOf(answer: HttpAnswer): object {
    const { status } = answer;
    const location = headerOf(answer, "location");
    return { status, location: location === undefined ? undefined : new URL(location).href };
  }

  /** A forwarded request may end at any of its shares: the answer says at which it did. */
  function expectedOutcome(decision: RouteDecision, answer: HttpAnswer): object {
    switch (decision.kind) {
      case "bad-path":
        return { status: 400 };
      case "no-rule":
        return { status: 404 };
      case "unrouted":
        return { status: 200 };
      case "redirect":
        return { status: decision.status, location: new URL(decision.location).href };
      case "forward": {
        const dangling = decision.shares.flatMap(({ backend }) => (backend.kind === "dangling" ? [backend.name] : []));
        const named = headerOf(answer, "x-seawall-unresolved-backend");
        return { status: named !== undefined && dangling.includes(named) ? 500 : 200 };
      }
    }
  }

  it.each(["no-route.test", "precedence.test", "backends.test", "filters.test", "canary.test", "addresses.test"] as const)(
    "agree with evaluate for %s",
    async (host) => {
      await running.envoy.stdoutLines.waitForCount(sent);
      const before = sent;
      const rules: (string | undefined)[] = [];
      const ask = async (request: RouteRequest): Promise<void> => {
        const decision = evaluateServicePort(ORDERS, ROUTES[host], shop, request);
        expectAsEvaluated(request, decision, await send(request));
        rules.push(routeNameOf(decision));
      };
      for (const path of PATHS) {
        for (const method of METHODS) for (const headers of HEADERS) await ask({ method, path, host, headers });
        for (const query of QUERIES) await ask({ method: "GET", path: path + query, host, headers: [] });
      }
      const lines = await running.envoy.stdoutLines.waitForCount(sent);
      expect(lines.slice(before).map((line) => (JSON.parse(line) as { route?: string }).route)).toEqual(rules);
      expect(rules.length).toBeGreaterThan(1000);
    },
    MANY_REQUESTS_MS,
  );

  it("matches the Host header, with its port, where a rule asks for it", async () => {
    for (const [host, upstream] of [
      ["authority.test", "orders"],
      ["authority.test:8080", "orders-v2"],
    ] as const) {
      const routes = ROUTES["authority.test"];
      expect(received(await send({ host })).upstream).toBe(upstream);
      expect(evaluateServicePort(ORDERS, routes, shop, { method: "GET", path: "/", host, headers: [] })).toMatchObject({
        shares: [{ backend: { port: { service: upstream } } }],
      });
    }
  });

  it.each([
    ["/plain/bar", "/xyz/bar"],
    ["/slash/bar", "/xyz/bar"],
    ["/both/bar", "/xyz/bar"],
    ["/plain", "/xyz"],
    ["/plain/", "/xyz/"],
    ["/empty/bar", "/bar"],
    ["/empty/", "/"],
    ["/empty", "/"],
    ["/root/", "/"],
    ["/root", "/"],
    ["/root/bar?q=/empty", "/bar?q=/empty"],
  ])("replaces the prefix of %s so that it becomes %s, as the Gateway API's table says", async (path, rewritten) => {
    expect(received(await send({ host: "prefixes.test", path })).path).toBe(rewritten);
  });

  it.each([
    ["/https", "redirects.test", 302, "https://redirects.test/https"],
    ["/https?a=b", "redirects.test:80", 302, "https://redirects.test/https?a=b"],
    ["/host", "redirects.test", 302, "http://example.org/host"],
    ["/port", "redirects.test", 302, "http://redirects.test:8083/port"],
    ["/port-and-host", "redirects.test", 303, "http://example.org:8083/port-and-host"],
    ["/default-port", "redirects.test", 302, "https://example.org/default-port"],
    ["/path?a=b", "redirects.test", 308, "http://redirects.test/new?a=b"],
  ])("redirects %s at %s with %i to %s", async (path, host, status, location) => {
    const answer = await send({ host, path });
    expect([answer.status, headerOf(answer, "location")]).toEqual([status, location]);
  });

  it("changes request and response headers", async () => {
    const headers = [
      ["x-set", "a"],
      ["x-add", "z"],
      ["x-remove", "1"],
    ] as const;
    const answer = await send({ host: "filters.test", path: "/headers", headers: [...headers, [ASK, "headers=x-add:b,server:nginx"]] });
    expect(
      received(answer)
        .headers.filter(([name]) => /^x-(set|add|remove)$/.test(name))
        .map(String)
        .sort(),
    ).toEqual(["x-add,a,b", "x-add,z", "x-set,50%"]);
    expect(
      answer.headers
        .filter(([name]) => /^(x-set|x-add|server)$/.test(name))
        .map(String)
        .sort(),
    ).toEqual(["x-add,b", "x-add,c", "x-set,no"]);
  });
});

describe("forwarding in a real Envoy", () => {
  /** Five standard deviations: by chance alone it fails once in two million runs. */
  const within = (count: number, total: number, part: number): boolean =>
    Math.abs(count - total * part) <= 5 * Math.sqrt(total * part * (1 - part));

  it("shares requests out by weight", async () => {
    let second = 0;
    for (let index = 0; index < 500; index++) {
      if (received(await send({ host: "canary.test" })).upstream === "orders-v2") second++;
    }
    expect([second, within(second, 500, 0.1)]).toEqual([second, true]);
  });

  it("answers the share of a backend that does not exist with 500 and its name", async () => {
    let failed = 0;
    for (let index = 0; index < 200; index++) {
      const answer = await send({ host: "backends.test", path: "/half" });
      if (answer.status === 200) continue;
      failed++;
      expect([answer.status, headerOf(answer, "x-seawall-unresolved-backend")]).toEqual([500, "dangling/shop/gone/80"]);
    }
    expect([failed, within(failed, 200, 0.5)]).toEqual([failed, true]);
  });

  it("says in the access log which rule took a request and that its backend is missing", async () => {
    await send({ host: "backends.test", path: "/nothing/logged" });
    const line = await running.envoy.stdoutLines.waitFor((text) => text.includes("/nothing/logged"));
    expect(JSON.parse(line)).toMatchObject({
      route: "httproute/shop/backends/no-backend",
      status: 500,
      details: "cluster_not_found",
      flags: "NC",
    });
  });

  it("sends a mirror the request that the backend gets", async () => {
    const audit = running.upstreams.get("audit")!;
    sent++;
    const answer = await running.client.request({ method: "POST", path: "/mirrored?x", authority: "mirror.test", body: "hello" });
    expect(received(answer)).toMatchObject({ upstream: "orders", body: "hello" });
    const copy = await audit.received.waitFor((request) => request.path === "/mirrored?x");
    expect(copy).toMatchObject({ host: "mirror.test", method: "POST", body: "hello" });
    expect(copy.headers).toContainEqual(["x-seen", "100%"]);
  });

  it.each([
    ["/request", "response_timeout"],
    ["/backend", "upstream_per_try_timeout"],
  ])("ends a request to %s that takes too long with 504", async (path, details) => {
    expect((await send({ host: "timeouts.test", path, headers: [[ASK, "hold"]] })).status).toBe(504);
    const line = await running.envoy.stdoutLines.waitFor((text) => text.includes(`"${path}"`));
    expect(JSON.parse(line)).toMatchObject({ status: 504, details });
  });

  it("sends requests of two services that route to each other once to the other, not around", async () => {
    const arrivals = (): number =>
      ["orders", "orders-v2"].reduce((sum, name) => sum + running.upstreams.get(name)!.received.items.length, 0);
    const before = arrivals();
    expect(received(await send({ host: "orders-of-two.test" })).upstream).toBe("orders-v2");
    expect(received(await send({ host: "orders-v2-of-two.test" })).upstream).toBe("orders");
    expect(arrivals() - before).toBe(2);
  });
});
