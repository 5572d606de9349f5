import { expect, it } from "@jest/globals";
import { checkSchema } from "../core/schema.ts";
import { shop } from "../http-route/testing/shop.ts";
import { evaluateConnection } from "./evaluate.ts";
import { routeStatus, tcpRoute } from "./index.ts";
import type { TcpRoute } from "./schema.ts";

const parent = { group: "", kind: "Service", name: "database" };

function routeWith(spec: Partial<TcpRoute["spec"]>, metadata: Partial<TcpRoute["metadata"]> = {}): TcpRoute {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "TCPRoute",
    metadata: { name: "database", namespace: "shop", ...metadata },
    spec: { parentRefs: [parent], rules: [{ backendRefs: [{ name: "database-v2", port: 5432 }] }], ...spec },
  };
}

/** `severity path reason message` of everything that is wrong, the schema's findings first. */
function findings(route: TcpRoute): string[] {
  const found = checkSchema(tcpRoute.schema, route.spec, "spec");
  return (found.length > 0 ? found : tcpRoute.validate(route)).map(
    ({ severity, path, reason, message }) => `${severity} ${path} ${reason} ${message}`,
  );
}

it("a TCPRoute has one rule, whose backends are Services with ports", () => {
  expect(findings(routeWith({}))).toEqual([]);
  expect(findings(routeWith({ rules: [{}, {}] }))).toEqual([expect.stringContaining("error spec.rules TooMany")]);
  expect(findings(routeWith({ rules: [{ backendRefs: [{ name: "a" }, { kind: "Bucket", group: "x", name: "b" }] }] }))).toEqual([
    "error spec.rules[0].backendRefs[0].port Required is required for a Service",
    "warning spec.rules[0].backendRefs[1].kind NotSupported only a Service can be a backend: what is sent to Bucket is refused",
  ]);
  expect(findings(routeWith({ rules: [{}], useDefaultGateways: "All" }))).toEqual([
    "warning spec.rules[0].backendRefs Required without a backend of a weight above 0, connections are closed",
    "warning spec.useDefaultGateways NotSupported concerns Gateways, which Seawall does not serve yet",
  ]);
});

it("its status says whether its ports and backends speak plain TCP", () => {
  const reasons = (route: TcpRoute): string[] => routeStatus(route, [], shop).flatMap(({ conditions }) => conditions.map((c) => c.reason));
  expect(reasons(routeWith({}))).toEqual(["Accepted", "ResolvedRefs"]);
  expect(reasons(routeWith({ rules: [{ backendRefs: [{ name: "orders", port: 80 }] }] }))).toEqual(["Accepted", "UnsupportedProtocol"]);
  expect(routeStatus(routeWith({ parentRefs: [{ ...parent, name: "orders", port: 80 }] }), [], shop)[0]?.conditions[0]).toEqual({
    type: "Accepted",
    status: "False",
    reason: "NoMatchingParent",
    message: "Service shop/orders speaks HTTP there: use an HTTPRoute, or declare the port's appProtocol as tcp or tls",
  });
});

it("the oldest of several takes every connection, and a consumer's own goes before all of the producer's", () => {
  const port = { namespace: "shop", service: "database", port: 5432 };
  const old = routeWith({}, { name: "old", creationTimestamp: "2026-01-01T00:00:00Z" });
  const young = routeWith({}, { name: "a-young", creationTimestamp: "2026-01-02T00:00:00Z" });
  const consumer = routeWith({ parentRefs: [{ ...parent, namespace: "shop" }] }, { name: "own", namespace: "bank" });
  const rule = (caller: string): string | undefined => evaluateConnection(port, [young, old, consumer], shop, caller)?.name;
  expect([rule("shop"), rule("web"), rule("bank")]).toEqual(["tcproute/shop/old/0", "tcproute/shop/old/0", "tcproute/bank/own/0"]);
  expect(evaluateConnection(port, [], shop)).toBeUndefined();
});
