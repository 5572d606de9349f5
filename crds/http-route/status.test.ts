import { describe, expect, it } from "@jest/globals";
import { violation } from "../core/violation.ts";
import { attachedPorts, routesForCaller, routesOf } from "../core/route/attachment.ts";
import type { KnownServices } from "../core/route/services.ts";
import { reachedPorts, routeStatus } from "./status.ts";
import { overriddenMatches, rank } from "./precedence.ts";
import type { RouteParentRef } from "../core/route/schema.ts";
import type { HttpRoute } from "./schema.ts";
import { ORDERS, ordersRoute, shop } from "./testing/shop.ts";

const backendRefs = [{ name: "orders", port: 80 }];
const parent = { group: "", kind: "Service", name: "orders" };

function routeOf(...parentRefs: RouteParentRef[]): HttpRoute {
  const route = ordersRoute([{ backendRefs }]);
  return { ...route, spec: { ...route.spec, parentRefs } };
}

/** `Accepted=reason ResolvedRefs=reason` of each parent that is a Service. */
function reasons(route: HttpRoute): string[] {
  return routeStatus(route, [], shop).map(({ conditions }) => conditions.map(({ type, reason }) => `${type}=${reason}`).join(" "));
}

describe("the parents of a route", () => {
  const ports = (...parentRefs: RouteParentRef[]): number[] => attachedPorts(routeOf(...parentRefs), shop).map(({ port }) => port);

  it("are all HTTP ports of a Service, or the one that is named", () => {
    expect(ports(parent)).toEqual([80, 8080]);
    expect(ports({ ...parent, port: 8080 })).toEqual([8080]);
    expect(ports({ ...parent, sectionName: "admin" })).toEqual([8080]);
    expect(ports({ ...parent, port: 80 }, { ...parent, port: 80, namespace: "shop" })).toEqual([80]);
    expect(routesOf(ORDERS, [routeOf({ ...parent, port: 8080 }), routeOf(parent)], shop)).toEqual([routeOf(parent)]);
  });

  it.each<[string, RouteParentRef, string]>([
    ["a Service that does not exist", { ...parent, name: "gone" }, "there is no Service shop/gone"],
    ["a port that does not exist", { ...parent, port: 81 }, "Service shop/orders has no such port"],
    ["a port by another's name", { ...parent, port: 80, sectionName: "admin" }, "Service shop/orders has no such port"],
    ["a port that speaks no HTTP", { ...parent, port: 5432 }, "Service shop/orders speaks no HTTP there"],
  ])("are refused when they are %s", (_, ref, message) => {
    expect(ports(ref)).toEqual([]);
    expect(routeStatus(routeOf(ref), [], shop)[0]?.conditions[0]).toEqual({
      type: "Accepted",
      status: "False",
      reason: "NoMatchingParent",
      message,
    });
  });

  it("of another namespace are for callers of the route's own, and those of other kinds left alone", () => {
    const consumer = routeOf({ ...parent, name: "ledger", namespace: "bank" }, parent);
    expect(attachedPorts(consumer, shop)).toEqual([
      { namespace: "bank", service: "ledger", port: 80, consumer: "shop" },
      ORDERS,
      { ...ORDERS, port: 8080 },
    ]);
    const ledger = { namespace: "bank", service: "ledger", port: 80 };
    expect(routesOf(ledger, [consumer], shop)).toEqual([]);
    expect(routesOf(ledger, [consumer], shop, "shop")).toEqual([consumer]);
    expect(routesForCaller(ledger, [consumer], shop, "bank")).toEqual([]);
    expect(reasons(routeOf({ name: "gateway" }, { ...parent, group: "gateway.networking.k8s.io" }, parent))).toEqual([
      "Accepted=Accepted ResolvedRefs=ResolvedRefs",
    ]);
    expect(ports({ name: "orders" }, { ...parent, group: "gateway.networking.k8s.io" })).toEqual([]);
  });

  it("are left to a GRPCRoute on the ports that it has", () => {
    const withGrpcOn = (...taken: number[]): KnownServices => ({
      ...shop,
      kindsOn: ({ port }) => new Set(taken.includes(port) ? ["HTTPRoute", "GRPCRoute"] : ["HTTPRoute"]),
    });
    expect(attachedPorts(routeOf(parent), withGrpcOn(80)).map(({ port }) => port)).toEqual([8080]);
    expect(routeStatus(routeOf(parent), [], withGrpcOn(80))[0]?.conditions[0]?.reason).toBe("Accepted");
    expect(routeStatus(routeOf(parent), [], withGrpcOn(80, 8080))[0]?.conditions[0]).toEqual({
      type: "Accepted",
      status: "False",
      reason: "Conflicted",
      message: "a GRPCRoute applies there, which goes before every HTTPRoute",
    });
  });
});

describe("the status of a route", () => {
  it("says which references lead nowhere, and accepts it all the same", () => {
    const refs = (...references: object[]): HttpRoute => ordersRoute([{ backendRefs: references as typeof backendRefs }]);
    const accepted = "Accepted=Accepted ResolvedRefs=";
    expect(reasons(refs({ name: "gone", port: 80 }))).toEqual([`${accepted}BackendNotFound`]);
    expect(reasons(refs({ name: "orders", port: 81 }))).toEqual([`${accepted}BackendNotFound`]);
    expect(reasons(refs({ name: "ledger", namespace: "bank", port: 80 }))).toEqual([`${accepted}RefNotPermitted`]);
    expect(reasons(refs({ name: "database", port: 5432 }))).toEqual([`${accepted}UnsupportedProtocol`]);
    expect(reasons(refs({ kind: "Bucket", name: "files" }))).toEqual([`${accepted}InvalidKind`]);
    const granted: KnownServices = {
      ...shop,
      permits: (from, to) => from.kind === "HTTPRoute" && from.namespace === "shop" && `${to.namespace}/${to.service}` === "bank/ledger",
    };
    const toTheBank = refs({ name: "ledger", namespace: "bank", port: 80 });
    expect(routeStatus(toTheBank, [], granted)[0]?.conditions[1]?.reason).toBe("ResolvedRefs");
    const consumer = { ...toTheBank, spec: { ...toTheBank.spec, parentRefs: [{ ...parent, name: "ledger", namespace: "bank" }] } };
    expect(reasons(consumer)).toEqual([`${accepted}ResolvedRefs`]);
    const mirror = { type: "RequestMirror", requestMirror: { backendRef: { name: "gone", port: 80 } } } as const;
    expect(routeStatus(ordersRoute([{ backendRefs, filters: [mirror] }]), [], shop)[0]?.conditions[1]).toEqual({
      type: "ResolvedRefs",
      status: "False",
      reason: "BackendNotFound",
      message: "there is no Service shop/gone",
    });
  });

  it("carries the mistakes of a route that is not accepted", () => {
    const conflict = violation("spec.rules[0].filters[0].type", "Conflict", "excludes another");
    const other = violation("spec.rules[0].retry", "NotSupported", "is not supported");
    const conditions = (...violations: (typeof other)[]): unknown => routeStatus(routeOf(parent), violations, shop)[0]?.conditions[0];
    expect(conditions(conflict)).toMatchObject({ status: "False", reason: "IncompatibleFilters" });
    expect(conditions(conflict, other)).toEqual({
      type: "Accepted",
      status: "False",
      reason: "UnsupportedValue",
      message: "spec.rules[0].filters[0].type: excludes another; spec.rules[0].retry: is not supported",
    });
  });
});

it("a caller needs to know the backends and mirrors of a route that exist, each once", () => {
  const filters = [{ type: "RequestMirror", requestMirror: { backendRef: { name: "audit", port: 80 } } }] as const;
  const route = ordersRoute([{ backendRefs: [...backendRefs, { name: "gone", port: 80 }], filters: [...filters] }, { backendRefs }]);
  expect(reachedPorts(route, shop)).toEqual([ORDERS, { ...ORDERS, service: "audit" }]);
});

describe("among several routes of a Service", () => {
  const named = (name: string, creationTimestamp?: string): HttpRoute =>
    ordersRoute([{ backendRefs }], { name, ...(creationTimestamp === undefined ? {} : { creationTimestamp }) });
  const order = (...routes: HttpRoute[]): string[] => rank(routes).map(({ route }) => route.metadata.name);

  it("the older goes first, then the one whose name does, and one without a readable time is young", () => {
    const routes = [
      named("undated"),
      named("unreadable", "yesterday"),
      named("b", "2026-01-01T00:00:00Z"),
      named("a", "2026-01-01T00:00:00Z"),
      named("older", "2025-12-31T23:59:59Z"),
    ];
    expect(order(...routes)).toEqual(["older", "a", "b", "undated", "unreadable"]);
    expect(order(...routes.toReversed())).toEqual(["older", "a", "b", "undated", "unreadable"]);
  });

  it("one that can never take a request is known, with the one that takes them", () => {
    const specific = ordersRoute([{ matches: [{ path: { value: "/a/" }, headers: [{ name: "A", value: "1" }] }], backendRefs }], {
      name: "specific",
    });
    const same = ordersRoute(
      [{ name: "r", matches: [{ path: { value: "/a" }, headers: [{ name: "a", value: "1" }] }, { method: "GET" }], backendRefs }],
      { name: "the-same" },
    );
    expect(overriddenMatches([same, specific])).toEqual([{ rule: "httproute/shop/the-same/r", by: "httproute/shop/specific/0" }]);
  });
});
