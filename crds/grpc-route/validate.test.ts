import { describe, expect, it } from "@jest/globals";
import { checkSchema } from "../core/schema.ts";
import { shop } from "../http-route/testing/shop.ts";
import { grpcRoute, routeStatus } from "./index.ts";
import type { GrpcRoute } from "./schema.ts";

const backendRefs = [{ name: "orders", port: 80 }];

function routeWith(...rules: object[]): GrpcRoute {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "GRPCRoute",
    metadata: { name: "orders", namespace: "shop" },
    spec: { parentRefs: [{ group: "", kind: "Service", name: "orders" }], rules: rules },
  };
}

/** `severity path reason message` of everything that is wrong, the schema's findings first. */
function findings(route: GrpcRoute): string[] {
  const found = checkSchema(grpcRoute.schema, route.spec, "spec");
  return (found.length > 0 ? found : grpcRoute.validate(route)).map(
    ({ severity, path, reason, message }) => `${severity} ${path} ${reason} ${message}`,
  );
}

const withMethod = (method: object): string[] => findings(routeWith({ matches: [{ method }], backendRefs }));

describe("a GRPCRoute", () => {
  it("names services and methods as protocol buffers do", () => {
    expect(withMethod({ service: "shop.v1.Orders", method: "Get_2" })).toEqual([]);
    expect(withMethod({ type: "RegularExpression", service: "shop\\..*", method: "Get|List" })).toEqual([]);
    expect(withMethod({})).toEqual(["error spec.rules[0].matches[0].method Required name a service, a method or both"]);
    expect(withMethod({ service: "shop/v1", method: "a-b" })).toEqual([
      'error spec.rules[0].matches[0].method.service Invalid "shop/v1" is no service such as shop.v1.Orders',
      'error spec.rules[0].matches[0].method.method Invalid "a-b" is no method name',
    ]);
    expect(withMethod({ type: "RegularExpression", service: "(" })).toEqual([
      expect.stringContaining("error spec.rules[0].matches[0].method Invalid not an RE2 expression"),
    ]);
  });

  it("says what it does not do, rather than ignore it", () => {
    const filters = [{ type: "ExtensionRef", extensionRef: { name: "x" } }];
    const route = routeWith({ filters, backendRefs, sessionPersistence: {} }, {});
    expect(findings({ ...route, spec: { ...route.spec, hostnames: ["a.example"], useDefaultGateways: "All" } })).toEqual([
      "error spec.rules[0].filters[0].type NotSupported Seawall does not support ExtensionRef on a route",
      "error spec.rules[0].sessionPersistence NotSupported Seawall does not support sessionPersistence yet",
      "warning spec.rules[1].backendRefs Required without a backend of a weight above 0, calls that match are answered UNAVAILABLE",
      "warning spec.hostnames NotSupported hostnames have no meaning for a Service (GEP-1294): match the header Host instead",
      "warning spec.useDefaultGateways NotSupported concerns Gateways, which Seawall does not serve yet",
    ]);
    expect(findings(routeWith({ filters: [{ type: "URLRewrite" }], backendRefs }))).toEqual([
      expect.stringContaining("error spec.rules[0].filters[0].type Invalid unknown value"),
    ]);
  });

  it("has at most 128 matches", () => {
    const matches = Array.from({ length: 43 }, (_, index) => ({ method: { method: `M${index}` } }));
    const rule = { matches, backendRefs };
    expect(findings(routeWith(rule, rule, rule))).toEqual([
      "error spec.rules TooMany a route has at most 128 matches over all rules, this one has 129",
    ]);
  });
});

it("the status of a GRPCRoute says where its references lead", () => {
  const mirror = { type: "RequestMirror", requestMirror: { backendRef: { name: "gone", port: 80 } } };
  expect(routeStatus(routeWith({ filters: [mirror], backendRefs }), [], shop)[0]?.conditions).toEqual([
    { type: "Accepted", status: "True", reason: "Accepted", message: "" },
    { type: "ResolvedRefs", status: "False", reason: "BackendNotFound", message: "there is no Service shop/gone" },
  ]);
});
