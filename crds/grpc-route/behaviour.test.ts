/** What a real Envoy makes of the routes, held against `evaluate`. */
import { beforeAll, describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { headerOf, type HttpAnswer } from "../../e2e/support/http-client.ts";
import type { ReceivedRequest } from "../../e2e/support/upstream.ts";
import { clusterName, type RoutingEnvoy, startRoutingEnvoy } from "../http-route/testing/routing-envoy.ts";
import { ORDERS, shop } from "../http-route/testing/shop.ts";
import { evaluateGrpcPort } from "./evaluate.ts";
import type { GrpcRoute } from "./schema.ts";
import { translateGrpcPort } from "./translate.ts";

const route = (file: string): GrpcRoute => parse(readFileSync(join(import.meta.dirname, file), "utf8")) as GrpcRoute;
const ROUTES = {
  "matches.test": [route("testdata/matches.in.yaml")],
  "backends.test": [route("testdata/backends.in.yaml")],
  "search.test": [route("examples/search.yaml")],
} as const;

let running: RoutingEnvoy;
beforeAll(async () => {
  running = await startRoutingEnvoy(
    Object.fromEntries(Object.entries(ROUTES).map(([host, routes]) => [host, translateGrpcPort(ORDERS, routes, shop, clusterName)])),
  );
});

type Header = readonly [name: string, value: string];

function call(host: string, path: string, headers: readonly Header[] = []): Promise<HttpAnswer> {
  return running.client.request({ method: "POST", path, authority: host, headers: [["content-type", "application/grpc"], ...headers] });
}

const upstreamOf = (answer: HttpAnswer): string => (JSON.parse(answer.body) as ReceivedRequest).upstream;

describe("matches of a GRPCRoute in a real Envoy", () => {
  const SERVICES = ["shop.v1.Orders", "shop.v2.Orders", "shop.v1.OrdersAdmin", "shopxv1.Orders", "bank.Ledger"];
  const METHODS = ["Search", "Searching", "Health", "GetOne", "List", "Lists", "AdminX", "Other"];

  it("agree with evaluate", async () => {
    const rules = new Set<string>();
    for (const host of ["matches.test", "search.test"] as const) {
      for (const service of SERVICES) {
        for (const method of METHODS) {
          for (const headers of [[], [["version", "two"]]] as const) {
            const path = `/${service}/${method}`;
            const decision = evaluateGrpcPort(ORDERS, ROUTES[host], shop, { method: "POST", path, host, headers });
            if (decision.kind !== "forward") throw new Error(`${path}: ${decision.kind}`);
            rules.add(decision.rule);
            const [share] = decision.shares;
            const expected = share?.backend.kind === "resolved" ? share.backend.port.service : undefined;
            expect([path, headers, upstreamOf(await call(host, path, headers))]).toEqual([path, headers, expected]);
          }
        }
      }
    }
    expect(rules.size).toBe(8);
  });
});

describe("calls that lead nowhere", () => {
  const status = (answer: HttpAnswer): unknown[] => [answer.status, headerOf(answer, "grpc-status")];

  it("are UNIMPLEMENTED when no rule takes them", async () => {
    expect(evaluateGrpcPort(ORDERS, ROUTES["backends.test"], shop, { method: "POST", path: "/a.B/C", host: "", headers: [] }).kind).toBe(
      "no-rule",
    );
    expect(status(await call("backends.test", "/a.B/C"))).toEqual([200, "12"]);
  });

  it("are UNAVAILABLE when the rule has no backend, with its name", async () => {
    const answer = await call("backends.test", "/a.B/Nothing");
    expect(status(answer)).toEqual([200, "14"]);
    expect(headerOf(answer, "x-seawall-unresolved-backend")).toBe("dangling/grpcroute/shop/backends/no-backend");
  });

  it("are UNAVAILABLE for the share of a backend that does not exist", async () => {
    const seen = new Set<unknown>();
    for (let index = 0; index < 100; index++) {
      const answer = await call("backends.test", "/a.B/Half");
      seen.add(headerOf(answer, "grpc-status") ?? upstreamOf(answer));
    }
    expect([...seen].sort()).toEqual(["14", "orders"]);
  });
});

it("filters change calls, and those of one backend only its own", async () => {
  const seen = new Set<string>();
  for (let index = 0; index < 100; index++) {
    const answer = await call("backends.test", "/a.B/Filters");
    const { headers, upstream } = JSON.parse(answer.body) as ReceivedRequest;
    expect(headers).toContainEqual(["x-set", "one"]);
    seen.add(`${upstream} ${headerOf(answer, "x-backend") ?? "-"}`);
  }
  expect([...seen].sort()).toEqual(["orders -", "orders-v2 two"]);
});
