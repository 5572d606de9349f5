import { describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { clusterAccessPolicy } from "../cluster-access-policy/index.ts";
import { expectEnvoyAccepts } from "../../e2e/support/envoy-validation.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { RouteMatchSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { toRouteMatch } from "../core/match/translate-to.ts";
import { accessPolicy, type AnyAccessPolicy, checkIssuers, validateAccess } from "./index.ts";
import { violationsOf } from "./testing/goldens.ts";

/** The complete list of what is said about a spec, warnings marked. */
function said(spec: string, kind: typeof accessPolicy | typeof clusterAccessPolicy = accessPolicy): string[] {
  const metadata = kind.scope === "Cluster" ? { name: "p" } : { name: "p", namespace: "shop" };
  const object: AnyAccessPolicy = { apiVersion: kind.apiVersion, kind: kind.kind, metadata, spec: parse(spec) as AnyAccessPolicy["spec"] };
  return violationsOf(kind, object).map(
    (found) => `${found.severity === "warning" ? "warning " : ""}${found.path} ${found.reason}: ${found.message}`,
  );
}

const allow = (rules: string): string => `{targetRefs: [{kind: Namespace}], action: Allow, rules: ${rules}}`;
const deny = (rules: string): string => `{targetRefs: [{kind: Namespace}], action: Deny, rules: ${rules}}`;

describe("what is said about an access policy", () => {
  it.each<[string, string, string[]]>([
    ["an empty spec", "{}", ["spec.action Required: is required"]],
    [
      "a policy without target and with a typo",
      "{action: Alow, rulez: []}",
      [
        "spec.rulez UnknownField: unknown field `rulez`: did you mean `rules`?",
        'spec.action Invalid: unknown value "Alow": did you mean Allow?',
      ],
    ],
    [
      "a policy without target",
      "{action: Allow}",
      ["spec Required: say what the policy protects: `targetRefs` (Namespace or Service) or `targetSelectors` (Pod)"],
    ],
    [
      "both kinds of target",
      "{targetRefs: [{kind: Service}], targetSelectors: [{kind: Pod, matchExpressions: [{key: a, operator: In}]}], action: Allow}",
      [
        "spec.targetSelectors Conflict: say `targetRefs` or `targetSelectors`, not both",
        "spec.targetRefs[0].name Required: name the Service",
        "spec.targetSelectors[0].matchExpressions[0].values Required: In needs at least one value",
      ],
    ],
    [
      "another namespace",
      "{targetRefs: [{kind: Namespace, name: bank}], action: Allow}",
      ["spec.targetRefs[0].name Invalid: a policy protects its own namespace only: leave `name` out, or move the policy to bank"],
    ],
    ["an Allow without rules", "{targetRefs: [{kind: Namespace}], action: Allow}", []],
    [
      "a Deny without rules",
      "{targetRefs: [{kind: Namespace}], action: Deny, rules: []}",
      ["spec.rules Required: a Deny policy without rules says nothing: to refuse everything, write a rule that has only a name"],
    ],
    [
      "words for later",
      allow("[{name: a, from: [{consumers: [x], countries: ['NO']}], when: {expression: 'true'}, openStreams: Close}]"),
      [
        "spec.rules[0].openStreams NotSupported: `openStreams` is a word of the policy language that this version does not support yet",
        "spec.rules[0].from[0].consumers NotSupported: `consumers` is a word of the policy language that this version does not support yet",
        "spec.rules[0].from[0].countries NotSupported: `countries` is a word of the policy language that this version does not support yet",
        "spec.rules[0].when.expression NotSupported: `expression` is a word of the policy language that this version does not support yet",
      ],
    ],
    [
      "names of rules",
      allow("[{name: A b}, {name: a, to: [{ports: [1]}]}, {name: a, to: [{ports: [1]}]}, {name: invalid, to: [{ports: [1]}]}]"),
      [
        "spec.rules[0].name Invalid: a name is at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends",
        "warning spec.rules[0] Invalid: allows every request of anyone, so every narrower Allow rule for the same target is without effect",
        "spec.rules[2].name Duplicate: rule 1 has the same name: logs could not tell them apart",
        "spec.rules[3].name Invalid: `invalid` is what Seawall calls the rule of a policy that cannot be read: choose another name",
      ],
    ],
    [
      "callers",
      allow(
        "[{name: a, from: [{serviceAccounts: [web, a/b/c, 'ns/*', 'X'], namespaces: [same, '*', Same], spiffeIds: ['web', 'spiffe://td/*', 'spiffe://td/ns/a/sa/b'], peerCIDRs: [10.0.0.1, 10.0.0.1/8, 10/8, '::1', 'fd00::/8']}]}]",
      ),
      [
        "spec.rules[0].from[0].serviceAccounts[1] Invalid: write `name`, or `namespace/name` for another namespace",
        "spec.rules[0].from[0].serviceAccounts[2] Invalid: for every service account of ns write `namespaces: [ns]`",
        'spec.rules[0].from[0].serviceAccounts[3] Invalid: "X" is not the name of a service account',
        "spec.rules[0].from[0].namespaces[0] Invalid: write Same for the policy's own namespace",
        "spec.rules[0].from[0].namespaces[1] Invalid: there is no wildcard: name the namespaces",
        "spec.rules[0].from[0].spiffeIds[0] Invalid: a SPIFFE id begins with spiffe://, as in spiffe://cluster.local/ns/shop/sa/web",
        "spec.rules[0].from[0].spiffeIds[1] Invalid: SPIFFE ids are compared whole: there is no wildcard; `namespaces` covers a whole namespace",
        "spec.rules[0].from[0].peerCIDRs[0] Invalid: write `10.0.0.1/32` for this one address",
        "spec.rules[0].from[0].peerCIDRs[1] Invalid: has bits set after its first 8: write `10.0.0.0/8`",
        "spec.rules[0].from[0].peerCIDRs[2] Invalid: is not an address range such as `10.0.0.0/8` or `fd00::/8`",
        "spec.rules[0].from[0].peerCIDRs[3] Invalid: write `::1/128` for this one address",
      ],
    ],
    [
      "tokens",
      allow(
        "[{name: a, from: [{jwt: {issuer: i, scopes: ['a b'], claims: [{name: /a//b, values: [x]}, {name: /a~b, values: [x]}, {name: '', values: []}]}}]}]",
      ),
      [
        "spec.rules[0].from[0].jwt.claims[2].name Invalid: must not be empty",
        "spec.rules[0].from[0].jwt.claims[2].values Invalid: an empty list means nothing: leave the field out, or list something",
      ],
    ],
    [
      "claims and scopes",
      allow("[{name: a, from: [{jwt: {issuer: i, scopes: ['a b'], claims: [{name: /a//b, values: [x]}, {name: /a~b, values: [x]}]}}]}]"),
      [
        "spec.rules[0].from[0].jwt.scopes[0] Invalid: is not a scope: list each scope by itself, without spaces or quotes",
        "spec.rules[0].from[0].jwt.claims[0].name Invalid: names an empty key: write `role`, or a JSON pointer such as `/realm/roles`",
        "spec.rules[0].from[0].jwt.claims[1].name Invalid: in a JSON pointer `~` is written `~0` and `/` is written `~1`",
      ],
    ],
    [
      "what is called",
      allow(
        "[{name: a, to: [{methods: [GTE, get, PURGE, 'G T', FROBNICATE], paths: [/a/*, /%61], hosts: ['Orders.shop:80', '*', 'a b', '*.x.example', '[::1]'], ports: ['80', HTTP, http, 70]}]}]",
      ),
      [
        "spec.rules[0].to[0].methods[0] Invalid: unknown method GTE: did you mean GET?",
        "spec.rules[0].to[0].methods[1] Invalid: methods are upper case: write GET",
        "spec.rules[0].to[0].methods[3] Invalid: unknown method G T: did you mean GET?",
        "spec.rules[0].to[0].paths[0] Invalid: write `/a/{name}` for one segment, or `/a/**` for everything from `/a` on",
        "spec.rules[0].to[0].paths[1] Invalid: requests are compared in canonical spelling: write `/a`",
        "spec.rules[0].to[0].hosts[0] Invalid: hosts are compared in lower case, without scheme, port, path and trailing dot: write `orders.shop`",
        "spec.rules[0].to[0].hosts[1] Invalid: leave `hosts` out for any host",
        "spec.rules[0].to[0].hosts[2] Invalid: is not a host name such as `orders.shop` or `*.example.com`",
        "spec.rules[0].to[0].ports[0] Invalid: write the number without quotes: 80",
        "spec.rules[0].to[0].ports[1] Invalid: is not the name of a port: at most 15 lower-case letters, digits and dashes",
      ],
    ],
    [
      "headers",
      allow(
        "[{name: a, when: {headers: [{name: X-A, values: ['a,b', '', ' a', ok]}, {name: ':path', values: [a]}, {name: host, values: [a]}, {name: connection, values: [a]}, {name: x-forwarded-for, values: [a]}, {name: cookie, values: [a]}]}}]",
      ),
      [
        "spec.rules[0].when.headers[0].name Invalid: header names are lower case: write x-a",
        "spec.rules[0].when.headers[0].values[0] Invalid: a comma separates values: list each value by itself",
        "spec.rules[0].when.headers[0].values[1] Invalid: an empty value cannot be told from none",
        "spec.rules[0].when.headers[0].values[2] Invalid: white space around a header value is dropped on its way: write it without",
        "spec.rules[0].when.headers[1].name Invalid: :path is not a header: use `methods`, `paths` and `hosts` in `to`",
        "spec.rules[0].when.headers[2].name Invalid: use `hosts` in `to`",
        "spec.rules[0].when.headers[3].name Invalid: connection belongs to one connection, not to the request: it cannot be relied upon",
        "spec.rules[0].when.headers[4].name Invalid: x-forwarded-for is written by the sidecar: it says nothing about the caller",
        "spec.rules[0].when.headers[5].name Invalid: cookies are split and joined on their way: a whole line of them cannot be compared",
      ],
    ],
    [
      "a Deny that is narrower than it looks, and an exception inside it that may be narrow",
      deny("[{name: a, to: [{paths: [/admin, /debug/**]}], except: [{to: [{paths: [/admin/health]}]}]}]"),
      [
        "warning spec.rules[0].to[0].paths[0] Invalid: refuses exactly this path, not `/admin/` or what is below: `/admin/**` covers all of it",
      ],
    ],
  ])("%s", (_, spec, expected) => {
    expect(said(spec)).toEqual(expected);
  });

  it("a cluster policy must name namespaces, and has no targetRefs", () => {
    expect(said("{action: Allow, targetRefs: [{kind: Namespace}]}", clusterAccessPolicy)).toEqual([
      "spec.targetRefs UnknownField: unknown field `targetRefs`: possible are `targetNamespaces`, `targetSelectors`, `action`, `enforcement`, `rules`",
    ]);
    expect(said("{action: Allow, rules: [{name: a, from: [{serviceAccounts: [web], namespaces: [Same]}]}]}", clusterAccessPolicy)).toEqual([
      "spec.rules[0].from[0].serviceAccounts[0] Invalid: a cluster policy has no namespace of its own: write `namespace/web`",
      "spec.rules[0].from[0].namespaces[0] Invalid: a cluster policy has no namespace of its own: name one",
    ]);
  });
});

describe("lists that Envoy could not compile", () => {
  const fits = Array.from({ length: 200 }, (_, index) => `/api/v${index}/{a}/orders/{b}/**`);
  const metadata = { name: "p", namespace: "shop" };
  const policy = (paths: string[]): AnyAccessPolicy => ({
    apiVersion: accessPolicy.apiVersion,
    kind: accessPolicy.kind,
    metadata,
    spec: { action: "Allow", rules: [{ name: "a", to: [{ paths }] }] },
  });

  it("are refused, and what is accepted does compile, as a route too", async () => {
    expect(validateAccess(policy(fits))).toEqual([]);
    expect(validateAccess(policy([...fits, ...fits])).map(({ path, reason }) => `${path} ${reason}`)).toEqual([
      "spec.rules[0].to[0].paths TooMany",
    ]);
    const [match] = toRouteMatch({ paths: fits }, { number: 80, protocol: "HTTP" });
    const route = { match: envoyJson(RouteMatchSchema, match!), direct_response: { status: 200 } };
    await expectEnvoyAccepts(new Map([["200 templates", { routes: [route] }]]));
  });
});

describe("rules that ask for a token which nobody verifies", () => {
  const rules = "[{name: a, from: [{jwt: {issuer: known}}, {jwt: {issuer: other}}], except: [{from: [{jwt: {issuer: third}}]}]}]";
  const check = (spec: string): string[] =>
    checkIssuers(
      { apiVersion: "", kind: "AccessPolicy", metadata: { name: "p" }, spec: parse(spec) as AnyAccessPolicy["spec"] },
      new Set(["known"]),
    ).map(({ severity, path }) => `${severity} ${path}`);

  it("are a warning where they allow, and an error where they refuse", () => {
    expect(check(allow(rules))).toEqual(["warning spec.rules[0].from[1].jwt.issuer", "error spec.rules[0].except[0].from[0].jwt.issuer"]);
    expect(check(deny(rules))).toEqual(["error spec.rules[0].from[1].jwt.issuer", "warning spec.rules[0].except[0].from[0].jwt.issuer"]);
  });
});
