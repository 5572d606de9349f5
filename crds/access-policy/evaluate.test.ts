import { describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import type { PolicyRequest } from "../core/request.ts";
import { type AccessSituation, type AnyAccessPolicy, callersOf, evaluateAccess } from "./index.ts";

function policy(name: string, spec: string, namespace = "shop"): AnyAccessPolicy {
  return {
    apiVersion: "seawall.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name, namespace },
    spec: parse(spec) as AnyAccessPolicy["spec"],
  };
}

const situation: AccessSituation = {
  policies: [],
  invalid: [],
  default: "Deny",
  trustDomain: "td",
  namespace: "shop",
  workload: "orders",
  port: { number: 8080, name: "http", protocol: "HTTP" },
};

const anonymous: PolicyRequest = {
  method: "GET",
  path: "/orders/7?x=1",
  host: "orders.shop:8080",
  headers: [],
  peerAddress: "127.0.0.1",
  jwts: [],
};
const request: PolicyRequest = { ...anonymous, identity: { trustDomain: "td", namespace: "shop", serviceAccount: "web" } };

function decide(changed: Partial<AccessSituation>, asked: Partial<PolicyRequest> = {}, caller = request): string {
  const { verdict, status, rule, audit } = evaluateAccess({ ...caller, ...asked }, { ...situation, ...changed });
  return `${verdict} ${status} ${rule}${audit === undefined ? "" : ` (audit: ${audit.verdict} ${audit.rule})`}`;
}

const read = policy("a", "{action: Allow, rules: [{name: read, from: [{serviceAccounts: [web]}], to: [{methods: [GET]}]}]}");
const any = policy("z", "{action: Allow, rules: [{name: any}]}");
const noDelete = policy("d", "{action: Deny, rules: [{name: delete, to: [{methods: [DELETE]}]}]}");

describe("the decision on a request", () => {
  it.each<[string, string, string]>([
    ["nothing is allowed by default", decide({}), "denied 403 default-deny/shop/orders"],
    ["an Allow rule lets in", decide({ policies: [read] }), "allowed 200 accesspolicy/shop/a/read"],
    ["the smallest matching name is told", decide({ policies: [any, read] }), "allowed 200 accesspolicy/shop/a/read"],
    [
      "a Deny rule wins over every Allow",
      decide({ policies: [any, noDelete] }, { method: "DELETE" }),
      "denied 403 accesspolicy/shop/d/delete",
    ],
    [
      "an invalid policy refuses",
      decide({ policies: [any], invalid: ["accesspolicy/shop/x/invalid"] }),
      "denied 403 accesspolicy/shop/x/invalid",
    ],
    [
      "strict mutual TLS lets an identity pass",
      decide({ policies: [any], strictMutualTls: "mutual-tls/shop/m/strict" }),
      "allowed 200 accesspolicy/shop/z/any",
    ],
    [
      "strict mutual TLS refuses nobody's request",
      decide({ policies: [any], strictMutualTls: "mutual-tls/shop/m/strict" }, {}, anonymous),
      "denied 403 mutual-tls/shop/m/strict",
    ],
    ["a malformed path is no policy's business", decide({ policies: [any] }, { path: "/a%2fb" }), "denied 400 malformed-request"],
    [
      "a dot segment with a path parameter is malformed",
      decide({ policies: [any] }, { path: "/a/%2e%2e;x/b" }),
      "denied 400 malformed-request",
    ],
    ["a lower-case method is malformed", decide({ policies: [any] }, { method: "get" }), "denied 400 malformed-request"],
    [
      "an Allow policy without rules permits nothing",
      decide({ policies: [policy("n", "{action: Allow}")], default: "Allow" }),
      "denied 403 default-deny/shop/orders",
    ],
    ["the default Allow permits", decide({ default: "Allow" }), "allowed 200 default-allow/shop/orders"],
    [
      "the default Audit permits and records",
      decide({ default: "Audit" }),
      "allowed 200 default-audit/shop/orders (audit: denied default-deny/shop/orders)",
    ],
    [
      "the default Audit records nothing about what is allowed",
      decide({ default: "Audit", policies: [read] }),
      "allowed 200 accesspolicy/shop/a/read",
    ],
    [
      "an audited Deny refuses in the audit alone",
      decide({ policies: [any, policy("t", "{action: Deny, enforcement: Audit, rules: [{name: all}]}")] }),
      "allowed 200 accesspolicy/shop/z/any (audit: denied accesspolicy/shop/t/all)",
    ],
    [
      "an audited Allow permits in the audit alone",
      decide({ policies: [policy("t", "{action: Allow, enforcement: Audit, rules: [{name: all}]}")] }),
      "denied 403 default-deny/shop/orders (audit: allowed accesspolicy/shop/t/all)",
    ],
    [
      "an audited Allow closes the port in the audit alone",
      decide({
        default: "Allow",
        policies: [policy("t", "{action: Allow, enforcement: Audit, rules: [{name: x, to: [{methods: [PUT]}]}]}")],
      }),
      "allowed 200 default-allow/shop/orders (audit: denied default-deny/shop/orders)",
    ],
  ])("%s", (_, decision, expected) => {
    expect(decision).toBe(expected);
  });

  it("says what kept each Allow rule from matching", () => {
    const { nearMisses } = evaluateAccess(
      { ...anonymous, method: "POST" },
      {
        ...situation,
        policies: [
          read,
          policy("b", "{action: Allow, rules: [{name: t, from: [{jwt: {issuer: i}}], except: [{to: [{methods: [POST]}]}]}]}"),
        ],
      },
    );
    expect(nearMisses).toEqual([
      {
        rule: "accesspolicy/shop/a/read",
        unmet: ["the caller is without a mesh identity, not the service account web", "the method is POST, not GET"],
      },
      { rule: "accesspolicy/shop/b/t", unmet: ["there is no verified token of i"] },
    ]);
  });
});

describe("headers", () => {
  const allow = policy("h", "{action: Allow, rules: [{name: x, when: {headers: [{name: x, values: [a, b]}]}}]}");
  const deny = policy("h", "{action: Deny, rules: [{name: x, when: {headers: [{name: x, values: [a, b]}]}}]}");
  it.each<[string[], boolean, boolean]>([
    [[], false, false],
    [["a"], true, true],
    [[" a "], true, true],
    [["c"], false, false],
    [["a", "a"], false, true],
    [["c", "a"], false, true],
    [["a, c"], false, true],
    [["c ,b"], false, true],
    [["ab"], false, false],
    [["a", ""], false, true],
  ])("in the lines %j are matched by an Allow: %j, by a Deny: %j", (lines, allowed, denied) => {
    const headers = lines.map((line) => ["x", line] as const);
    expect(decide({ policies: [allow] }, { headers }).startsWith("allowed")).toBe(allowed);
    expect(decide({ policies: [any, deny] }, { headers }).startsWith("denied")).toBe(denied);
  });
});

describe("tokens", () => {
  const needs = (jwt: string): AnyAccessPolicy => policy("j", `{action: Allow, rules: [{name: x, from: [{jwt: ${jwt}}]}]}`);
  const holds = (jwt: string, claims: Record<string, unknown>): boolean =>
    decide({ policies: [needs(jwt)] }, { jwts: [{ issuer: "i", claims: { iss: "i", ...claims } }] }).startsWith("allowed");
  it.each<[string, Record<string, unknown>, boolean]>([
    ["{issuer: i}", {}, true],
    ["{issuer: j}", {}, false],
    ["{issuer: i, scopes: [a, b]}", { scope: "a x b" }, true],
    ["{issuer: i, scopes: [a, b]}", { scope: "a", scp: ["b"] }, true],
    ["{issuer: i, scopes: [a, b]}", { scp: "a b" }, true],
    ["{issuer: i, scopes: [a, b]}", { scope: "a" }, false],
    ["{issuer: i, scopes: [a]}", { scope: "ab" }, false],
    ["{issuer: i, claims: [{name: role, values: [x, y]}]}", { role: "y" }, true],
    ["{issuer: i, claims: [{name: role, values: [x, y]}]}", { role: ["z", "x"] }, true],
    ["{issuer: i, claims: [{name: role, values: ['1']}]}", { role: 1 }, false],
    ["{issuer: i, claims: [{name: role, values: [x]}]}", {}, false],
    ["{issuer: i, claims: [{name: /realm/roles, values: [x]}]}", { realm: { roles: ["x"] } }, true],
    ["{issuer: i, claims: [{name: /realm/0, values: [x]}]}", { realm: ["x"] }, false],
    ["{issuer: i, claims: [{name: /a~1b, values: [x]}]}", { "a/b": "x" }, true],
    ["{issuer: i, claims: [{name: a.b, values: [x]}]}", { a: { b: "x" } }, false],
  ])("%s holds for %j: %j", (jwt, claims, expected) => {
    expect(holds(jwt, claims)).toBe(expected);
  });
});

describe("a TCP port", () => {
  const port = { number: 5432, name: "tcp-db", protocol: "TCP" } as const;
  const tcp = (action: string, rule: string): string =>
    decide({
      port,
      policies: [policy("t", `{action: ${action}, rules: [{name: x, ${rule}}]}`)],
      default: action === "Deny" ? "Allow" : "Deny",
    }).split(" ")[0]!;
  it.each([
    ["from: [{serviceAccounts: [web]}]", "allowed", "denied"],
    ["from: [{serviceAccounts: [web]}, {jwt: {issuer: i}}]", "denied", "denied"],
    ["to: [{methods: [GET]}]", "denied", "denied"],
    ["from: [{serviceAccounts: [batch]}], to: [{methods: [GET]}]", "denied", "allowed"],
    ["to: [{methods: [GET], ports: [http]}]", "denied", "allowed"],
    ["to: [{methods: [GET], ports: [http]}, {ports: [tcp-db]}]", "allowed", "denied"],
    ["when: {headers: [{name: x, values: [a]}]}", "denied", "denied"],
    ["except: [{to: [{methods: [GET]}]}]", "denied", "denied"],
    ["except: [{from: [{namespaces: [Same]}]}]", "denied", "allowed"],
    ["except: [{from: [{jwt: {issuer: i}}, {namespaces: [Same]}]}]", "denied", "allowed"],
    ["except: [{to: [{ports: [http], methods: [GET]}]}]", "allowed", "denied"],
  ])("with {%s}: an Allow leaves it %s, a Deny %s", (rule, allow, deny) => {
    expect([tcp("Allow", rule), tcp("Deny", rule)]).toEqual([allow, deny]);
  });
});

describe("who could be let in", () => {
  it.each<[string, unknown]>([
    ["{action: Deny, rules: [{name: a}]}", []],
    ["{action: Allow}", []],
    ["{action: Allow, rules: [{name: a}]}", "everyone"],
    ["{action: Allow, rules: [{name: a, from: [{peerCIDRs: [10.0.0.0/8]}]}]}", "everyone"],
    ["{action: Allow, rules: [{name: a, from: [{jwt: {issuer: i}}, {serviceAccounts: [web]}]}]}", "everyone"],
    [
      "{action: Allow, rules: [{name: a, from: [{serviceAccounts: [web, b/c], jwt: {issuer: i}}, {namespaces: [Same]}, {spiffeIds: ['spiffe://td/ns/x/sa/y', 'spiffe://td/other']}]}]}",
      [
        { namespace: "b", serviceAccount: "c" },
        { namespace: "shop", serviceAccount: "*" },
        { namespace: "shop", serviceAccount: "web" },
        { namespace: "x", serviceAccount: "y" },
      ],
    ],
    [
      "{action: Allow, rules: [{name: a, from: [{serviceAccounts: [web, b/c], namespaces: [b, d]}]}]}",
      [{ namespace: "b", serviceAccount: "c" }],
    ],
  ])("by %s: %j", (spec, expected) => {
    expect(callersOf(policy("p", spec))).toEqual(expected);
  });
});
