import { describe, expect, it } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkSchema } from "../core/schema.ts";
import { httpRoute } from "./index.ts";
import type { HttpRoute } from "./schema.ts";
import { ordersRoute, readRoutes } from "./testing/shop.ts";

/** `severity path reason message` of everything that is wrong, the schema's findings first. */
function findings(route: HttpRoute): string[] {
  const found = checkSchema(httpRoute.schema, route.spec, "spec");
  return (found.length > 0 ? found : httpRoute.validate(route)).map(
    ({ severity, path, reason, message }) => `${severity} ${path} ${reason} ${message}`,
  );
}

function findingsOfRules(...rules: object[]): string[] {
  return findings(ordersRoute(rules));
}

const backendRefs = [{ name: "orders", port: 80 }];
const withPath = (path: object): object => ({ matches: [{ path }], backendRefs });
const withFilters = (...filters: object[]): object => ({ filters, backendRefs });
const withParents = (...parentRefs: object[]): string[] => {
  const route = ordersRoute([{ backendRefs }]);
  return findings({ ...route, spec: { ...route.spec, parentRefs: parentRefs as never } });
};
const parent = { group: "", kind: "Service", name: "orders" };

describe("an HTTPRoute", () => {
  it.each(readdirSync(join(import.meta.dirname, "examples")))("of the example %s is without fault", (file) => {
    const routes = readRoutes(readFileSync(join(import.meta.dirname, "examples", file), "utf8"));
    expect(routes.flatMap(findings)).toEqual([]);
  });

  it("is read as the API server stores it, with all defaults written out", () => {
    const spec: HttpRoute["spec"] = {
      parentRefs: [{ group: "", kind: "Service", name: "orders", port: 80 }],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: "/" }, headers: [{ type: "Exact", name: "a", value: "b" }] }],
          backendRefs: [{ group: "", kind: "Service", name: "orders", port: 80, weight: 1 }],
        },
      ],
    };
    expect(findings({ ...ordersRoute([]), spec })).toEqual([]);
  });

  it("reports what is unknown, with a suggestion", () => {
    expect(
      findingsOfRules({ backendRef: [] }, { backendRefs, filters: [{ type: "UrlRewrite" }] }, { backendRefs: [{ name: "a", port: 0 }] }),
    ).toEqual([
      "error spec.rules[0].backendRef UnknownField unknown field `backendRef`: did you mean `backendRefs`?",
      'error spec.rules[1].filters[0].type Invalid unknown value "UrlRewrite": did you mean URLRewrite?',
      expect.stringContaining("error spec.rules[2].backendRefs[0].port Invalid"),
    ]);
  });

  it("reports what the Gateway API knows and Seawall does not honour", () => {
    const rule = {
      matches: [{ method: "CONNECT" }],
      filters: [
        { type: "CORS", cors: {} },
        { type: "ExtensionRef", extensionRef: { name: "x" } },
        { type: "ExternalAuth", externalAuth: {} },
      ],
      backendRefs: [{ name: "orders", port: 80, filters: [{ type: "URLRewrite", urlRewrite: { hostname: "a" } }] }],
      retry: { attempts: 3 },
      sessionPersistence: {},
    };
    const route = ordersRoute([rule as never]);
    expect(findings({ ...route, spec: { ...route.spec, hostnames: ["a.example"], useDefaultGateways: "All" } })).toEqual([
      "error spec.rules[0].matches[0].method NotSupported CONNECT opens a tunnel, which routes of a Service do not take part in",
      "error spec.rules[0].filters[0].type NotSupported Seawall does not support CORS on a route",
      "error spec.rules[0].filters[1].type NotSupported Seawall does not support ExtensionRef on a route",
      "error spec.rules[0].filters[2].type NotSupported Seawall does not support ExternalAuth on a route",
      "error spec.rules[0].backendRefs[0].filters[0].type NotSupported Seawall does not support URLRewrite on a backendRef: put it on the rule",
      "error spec.rules[0].retry NotSupported Seawall does not support retry yet",
      "error spec.rules[0].sessionPersistence NotSupported Seawall does not support sessionPersistence yet",
      "warning spec.hostnames NotSupported hostnames have no meaning for a Service (GEP-1294): match the header Host instead",
      "warning spec.useDefaultGateways NotSupported concerns Gateways, which Seawall does not serve yet",
    ]);
  });

  it("names its parents plainly", () => {
    expect(withParents({ kind: "Service", name: "orders" })).toEqual([
      'error spec.parentRefs[0].group Required write `group: ""` for a Service: what is absent means gateway.networking.k8s.io',
    ]);
    expect(withParents({ name: "public" }, { ...parent, namespace: "bank" })).toEqual([
      "warning spec.parentRefs[0].kind NotSupported Seawall routes for Services: a Gateway as parent is left to its own controller",
    ]);
    expect(withParents({ ...parent, port: 80 }, { ...parent, port: 80, namespace: "shop" })).toEqual([
      "error spec.parentRefs[1] Duplicate the same parent stands here already",
    ]);
    expect(withParents(parent, { ...parent, port: 80 })).toEqual([
      "error spec.parentRefs[1] Conflict parents that name orders must all set port, or sectionName, or neither",
    ]);
    expect(withParents({ ...parent, port: 80 }, { ...parent, port: 8080 })).toEqual([]);
    expect(withParents()).toEqual(["warning spec.parentRefs Required without a parent the route applies to nothing"]);
  });

  it.each([
    ["orders", "must begin with a slash"],
    ["/a?b", "neither query nor fragment"],
    ["/a#b", "neither query nor fragment"],
    ["/a b", "percent-encoded"],
    ["/ä", "percent-encoded"],
    ["/a//b", "slashes are merged"],
    ["/a/./b", "dot segments"],
    ["/a/..", "dot segments"],
    ["/a%2Fb", "encoded slash"],
    ["/a%61", "%61 is decoded before paths are compared: write a"],
  ])("cannot match the path %s, which no request has", (value, message) => {
    for (const type of ["Exact", "PathPrefix"])
      expect(findingsOfRules(withPath({ type, value }))).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ["(", "not an RE2 expression"],
    ["/a(?=b)", "not an RE2 expression"],
    ["", "an empty expression"],
    ["/\\pL", "printable ASCII"],
    ["/é", "printable ASCII"],
    ["/[a-z]{600}[0-9]{600}", "compiles to 1203 steps, of which a route has at most 1000"],
  ])("cannot match the expression %s, which a sidecar would refuse", (value, message) => {
    expect(findingsOfRules(withPath({ type: "RegularExpression", value }))).toEqual([expect.stringContaining(message)]);
  });

  it("matches headers and parameters by names that can occur, each once", () => {
    const match = {
      headers: [
        { name: "x y", value: "a" },
        { name: "X-A", value: "ü" },
        { name: "x-a", value: "b" },
      ],
      queryParams: [{ type: "RegularExpression", name: "q", value: "[" }],
    };
    expect(findingsOfRules({ matches: [match], backendRefs })).toEqual([
      'error spec.rules[0].matches[0].headers[0].name Invalid "x y" is not a name',
      "error spec.rules[0].matches[0].headers[1].value Invalid must be printable ASCII",
      'warning spec.rules[0].matches[0].headers[2].name Duplicate only the first entry for "x-a" counts',
      expect.stringContaining("error spec.rules[0].matches[0].queryParams[0].value Invalid not an RE2 expression"),
    ]);
  });

  it("has filters that say what they are and do not exclude each other", () => {
    const mirror = { type: "RequestMirror", requestMirror: { backendRef: { name: "audit", port: 80 } } };
    const redirect = { type: "RequestRedirect", requestRedirect: { scheme: "https" } };
    const rewrite = { type: "URLRewrite", urlRewrite: { hostname: "a.example" } };
    const modify = { type: "RequestHeaderModifier", requestHeaderModifier: { remove: ["a"] } };
    expect(findingsOfRules(withFilters(mirror, mirror, modify, rewrite))).toEqual([]);
    expect(findingsOfRules({ filters: [redirect, rewrite, mirror, modify], timeouts: { request: "1s" } })).toEqual([
      "error spec.rules[0].filters[0].type Conflict a redirect forwards nothing, so URLRewrite cannot stand beside it",
      "error spec.rules[0].filters[0].type Conflict a redirect forwards nothing, so RequestMirror cannot stand beside it",
      "warning spec.rules[0].filters[0].type Conflict a redirect forwards nothing, so RequestHeaderModifier has no effect beside it",
      "warning spec.rules[0].timeouts Conflict a redirect is answered at once: timeouts have no effect beside it",
    ]);
    expect(findingsOfRules(withFilters(redirect))).toEqual([
      "error spec.rules[0].backendRefs Conflict a rule that redirects forwards nothing: remove its backends",
    ]);
    expect(findingsOfRules(withFilters(modify, modify, { type: "URLRewrite", requestRedirect: { scheme: "https" } }))).toEqual([
      "error spec.rules[0].filters[2].requestRedirect Conflict does not belong to a filter of type URLRewrite",
      "error spec.rules[0].filters[2].urlRewrite Required is required by type URLRewrite",
      "error spec.rules[0].filters[1].type Duplicate RequestHeaderModifier stands here already: a rule has it once",
    ]);
    expect(findingsOfRules({ filters: [{ type: "RequestRedirect", requestRedirect: { statusCode: 301 } }] })).toEqual([
      "warning spec.rules[0].filters[0].requestRedirect Invalid redirects every request to where it came from: give it a scheme, hostname, path or port",
    ]);
  });

  it("changes each header once, and none that carries the message", () => {
    const requestHeaderModifier = {
      set: [
        { name: "X-A", value: "1" },
        { name: "Host", value: "a" },
        { name: "x-b", value: "a\nb" },
      ],
      add: [{ name: "x-a", value: "2" }],
      remove: ["content-length", "a b"],
    };
    expect(findingsOfRules(withFilters({ type: "RequestHeaderModifier", requestHeaderModifier }))).toEqual([
      "error spec.rules[0].filters[0].requestHeaderModifier.set[1].name NotSupported a filter may not change host: use the hostname of a URLRewrite",
      "error spec.rules[0].filters[0].requestHeaderModifier.set[2].value Invalid must be printable ASCII",
      "error spec.rules[0].filters[0].requestHeaderModifier.add[0].name Duplicate x-a is changed already: a filter changes each header once",
      "error spec.rules[0].filters[0].requestHeaderModifier.remove[0] NotSupported a filter may not change content-length",
      'error spec.rules[0].filters[0].requestHeaderModifier.remove[1] Invalid "a b" is not a header name',
    ]);
  });

  it("replaces a prefix only where the rule has one", () => {
    const cut = { type: "URLRewrite", urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "" } } };
    expect(findingsOfRules({ matches: [{ path: { value: "/a" } }], filters: [cut], backendRefs })).toEqual([]);
    expect(findingsOfRules({ filters: [cut], backendRefs })).toEqual([]);
    const message = "Conflict ReplacePrefixMatch needs a rule with exactly one match, of type PathPrefix";
    for (const matches of [[{ path: { type: "Exact", value: "/a" } }], [{ path: { value: "/a" } }, { path: { value: "/b" } }]]) {
      expect(findingsOfRules({ matches, filters: [cut], backendRefs })).toEqual([
        `error spec.rules[0].filters[0].urlRewrite.path.type ${message}`,
      ]);
    }
    const wrong = { type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath", replacePrefixMatch: "/a" } } };
    expect(findingsOfRules(withFilters(wrong))).toEqual([
      "error spec.rules[0].filters[0].urlRewrite.path.replacePrefixMatch Conflict does not belong to type ReplaceFullPath",
      "error spec.rules[0].filters[0].urlRewrite.path.replaceFullPath Required is required by type ReplaceFullPath",
    ]);
  });

  it("gives its backends ports, and says which it cannot reach", () => {
    const refs = [{ name: "a" }, { name: "b", namespace: "bank", port: 80 }, { group: "example.com", kind: "Bucket", name: "c" }];
    expect(findingsOfRules({ backendRefs: refs }, {}, { backendRefs: [{ name: "a", port: 1, weight: 0 }] })).toEqual([
      "error spec.rules[0].backendRefs[0].port Required is required for a Service",
      "warning spec.rules[0].backendRefs[2].kind NotSupported only a Service can be a backend: what is sent to Bucket is refused",
      "warning spec.rules[1].backendRefs Required without a backend of a weight above 0, requests that match are answered with 500",
      "warning spec.rules[2].backendRefs Required without a backend of a weight above 0, requests that match are answered with 500",
    ]);
  });

  it("mirrors a part of the requests, not more than all", () => {
    const mirror = (settings: object): object => ({
      type: "RequestMirror",
      requestMirror: { backendRef: { name: "audit", port: 80 }, ...settings },
    });
    expect(findingsOfRules(withFilters(mirror({ percent: 1, fraction: { numerator: 3, denominator: 2 } })))).toEqual([
      "error spec.rules[0].filters[0].requestMirror.fraction Conflict excludes percent",
      "error spec.rules[0].filters[0].requestMirror.fraction Invalid is more than everything",
    ]);
  });

  it("has timeouts that are durations, the backend's within the request's", () => {
    expect(findingsOfRules({ backendRefs, timeouts: { request: "10", backendRequest: "1.5s" } })).toEqual([
      'error spec.rules[0].timeouts.request Malformed "10" is no duration such as 500ms, 10s or 1m30s (GEP-2257)',
      'error spec.rules[0].timeouts.backendRequest Malformed "1.5s" is no duration such as 500ms, 10s or 1m30s (GEP-2257)',
    ]);
    expect(findingsOfRules({ backendRefs, timeouts: { request: "1s", backendRequest: "1001ms" } })).toEqual([
      "error spec.rules[0].timeouts.backendRequest Conflict must not be longer than the request timeout of 1s",
    ]);
    expect(findingsOfRules({ backendRefs, timeouts: { request: "0s", backendRequest: "1h" } })).toEqual([]);
  });

  it("has rules whose names differ, also from the positions of the unnamed", () => {
    expect(findingsOfRules({ name: "a", backendRefs }, { name: "a", backendRefs }, { name: "3", backendRefs }, { backendRefs })).toEqual([
      "error spec.rules[0].name Duplicate another rule is called a as well",
      "error spec.rules[1].name Duplicate another rule is called a as well",
      "error spec.rules[2].name Duplicate another rule is called 3 as well",
    ]);
  });

  it("has no more matches than the Gateway API allows", () => {
    const matches = Array.from({ length: 64 }, (_, index) => ({ path: { value: `/${index}` } }));
    expect(findingsOfRules({ matches, backendRefs }, { matches, backendRefs }, { backendRefs })).toEqual([
      "error spec.rules TooMany a route has at most 128 matches over all rules, this one has 129",
    ]);
  });
});
