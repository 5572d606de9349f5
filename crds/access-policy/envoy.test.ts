/** The words of an access policy, one by one, on a real Envoy: every answer is also what `evaluateAccess` predicts. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { parse } from "yaml";
import type { HeaderLine } from "../../e2e/support/http-client.ts";
import { type PolicySidecar, startPolicySidecar, type PortContribution, TRUST_DOMAIN } from "../../e2e/support/policy-sidecar.ts";
import { type AuthenticationPolicy, translate as translateAuthentication } from "../authentication-policy/index.ts";
import type { CalledPort, Identity, PolicyRequest } from "../core/request.ts";
import { effectiveMutualTls, translateMutualTls } from "../mutual-tls-policy/index.ts";
import { CLOSED_MESH } from "../mesh-config/index.ts";
import { type AccessSituation, type AnyAccessPolicy, closesPort, evaluateAccess, translateAccess } from "./index.ts";

const ISSUER = "https://idp.example.com/realms/shop";
const PORT: CalledPort = { number: 8080, name: "http", protocol: "HTTP" };

const WEB: Identity = { trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount: "web" };
const WEB2: Identity = { trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount: "web2" };
const BANK: Identity = { trustDomain: TRUST_DOMAIN, namespace: "bank", serviceAccount: "web" };

/** A scenario is one policy; each line of its rules is one of the language's words. */
const SPECS: Readonly<Record<string, string>> = {
  "service-accounts": "{action: Allow, rules: [{name: r, from: [{serviceAccounts: [web, bank/teller]}]}]}",
  namespaces: "{action: Allow, rules: [{name: r, from: [{namespaces: [Same]}]}]}",
  "spiffe-ids": `{action: Allow, rules: [{name: r, from: [{spiffeIds: ['spiffe://${TRUST_DOMAIN}/ns/bank/sa/web']}]}]}`,
  "all-of-from":
    "{action: Allow, rules: [{name: r, from: [{serviceAccounts: [web, web2], spiffeIds: ['spiffe://x/y', 'spiffe://cluster.local/ns/shop/sa/web2']}]}]}",
  peers: "{action: Allow, rules: [{name: r, from: [{peerCIDRs: [10.0.0.0/8, 127.0.0.0/30]}]}]}",
  strangers: "{action: Allow, rules: [{name: r, from: [{peerCIDRs: ['::1/128', 10.0.0.0/8]}]}]}",
  methods: "{action: Allow, rules: [{name: r, to: [{methods: [GET, PROPFIND]}]}]}",
  paths: "{action: Allow, rules: [{name: r, to: [{paths: [/, /orders, '/orders/{id}', /static/**, /caf%C3%A9, '/a.b', '/x/{y}/z/**']}]}]}",
  "denied-paths": "{action: Deny, rules: [{name: r, to: [{paths: [/admin/**, /debug]}]}]}",
  hosts: "{action: Allow, rules: [{name: r, to: [{hosts: [orders.shop, '*.example.com', '[::1]']}]}]}",
  headers: "{action: Allow, rules: [{name: r, when: {headers: [{name: x-a, values: [a, b]}, {name: x-b, values: ['1']}]}}]}",
  "denied-headers": "{action: Deny, rules: [{name: r, when: {headers: [{name: x-a, values: [a, 'b.c']}, {name: x-b, values: ['1']}]}}]}",
  issuer: `{action: Allow, rules: [{name: r, from: [{jwt: {issuer: '${ISSUER}'}}]}]}`,
  scopes: `{action: Allow, rules: [{name: r, from: [{jwt: {issuer: '${ISSUER}', scopes: [orders.read, x]}}]}]}`,
  claims: `{action: Allow, rules: [{name: r, from: [{jwt: {issuer: '${ISSUER}', claims: [{name: role, values: [admin, owner]}, {name: /realm/groups, values: [g]}]}}]}]}`,
  "deny-but-admins": `{action: Deny, rules: [{name: r, to: [{methods: [DELETE]}], except: [{from: [{jwt: {issuer: '${ISSUER}', claims: [{name: role, values: [admin]}]}}]}]}]}`,
  "allow-but":
    "{action: Allow, rules: [{name: r, from: [{namespaces: [Same]}], except: [{from: [{serviceAccounts: [web2]}], to: [{methods: [GET]}]}, {to: [{paths: [/secret/**]}]}]}]}",
  "other-port":
    "{action: Allow, rules: [{name: r, to: [{ports: [9090]}]}, {name: s, to: [{ports: [admin], methods: [GET]}, {ports: [http], methods: [POST]}]}]}",
  nothing: "{action: Allow}",
};

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly headers?: readonly HeaderLine[];
  readonly as?: Identity;
  readonly claims?: Record<string, unknown>;
}

const header = (...lines: readonly string[]): readonly HeaderLine[] => lines.map((line) => line.split(": ", 2) as [string, string]);

/** Each of these is asked of every scenario. */
const REQUESTS: readonly Asked[] = [
  {},
  ...[WEB, WEB2, BANK].map((as) => ({ as })),
  ...["HEAD", "POST", "DELETE", "PROPFIND", "get"].map((method) => ({ method })),
  { method: "GET", as: WEB2, path: "/secret" },
  { method: "POST", as: WEB2 },
  ...[
    "/orders",
    "/orders?x=1",
    "/orders/",
    "/orders/7",
    "/orders/7/8",
    "/Orders",
    "/orders//7",
    "/o%72ders",
    "/x/../orders",
    "/orders;a=b",
  ].map((path) => ({ path })),
  ...[
    "/static",
    "/static/",
    "/static/a/b",
    "/staticx",
    "/caf%c3%a9",
    "/axb",
    "/x/1/z",
    "/x/1/z/2",
    "/x//z",
    "/?/",
    "//",
    "/orders%2f7",
    "/orders/\\..\\7",
  ].map((path) => ({ path })),
  ...[
    "/admin",
    "/admin/",
    "/admin/x",
    "/%61dmin",
    "//admin",
    "/x/..;/admin",
    "/x/%2e%2e/admin",
    "/adminx",
    "/debug",
    "/debug/",
    "/Admin",
    "/secret/x",
  ].map((path) => ({ path, as: WEB })),
  ...[
    "orders.shop",
    "ORDERS.shop:80",
    "orders.shop.",
    "orders.shop.:8080",
    "xorders.shop",
    "orders-shop",
    "example.com",
    "a.example.com",
    "a.b.EXAMPLE.com:1",
    ".example.com",
    "[::1]:80",
    "a.example.com.evil",
  ].map((host) => ({ host })),
  ...[
    ["x-a: a", "x-b: 1"],
    ["x-a: a"],
    ["x-a: b", "x-a: a", "x-b: 1"],
    ["x-a: c , b.c", "x-b: 1"],
    ["x-a: bxc", "x-b: 1"],
    ["x-a: a,", "x-b: 2, 1"],
    ["x-a:  b ", "X-B: 1"],
    ["x-a: A", "x-b: 1"],
  ].map((lines) => ({ headers: header(...lines) })),
  ...[
    {},
    { scope: "x orders.read" },
    { scope: "orders.read" },
    { scope: "xorders.readx x" },
    { scp: ["orders.read", "x"] },
    { scp: "x", scope: ["orders.read"] },
    { scope: "a\nb orders.read x" },
    { role: "admin", realm: { groups: ["f", "g"] } },
    { role: ["user", "owner"], realm: { groups: "g" } },
    { role: "administrator", realm: { groups: ["g"] } },
    { role: "admin", realm: ["g"] },
    { role: ["user"], realm: { groups: ["g"] } },
    { role: "admin", realm: { groups: ["f"] } },
    { scp: ["x"], scope: "openid" },
    { role: 1, realm: { groups: [["g"]] } },
  ].map((claims) => ({ claims })),
  { method: "DELETE", claims: { role: "admin" } },
  { method: "DELETE", claims: { role: "user" } },
];

const policies = Object.entries(SPECS).map(([name, spec]): readonly [string, AnyAccessPolicy] => [
  name,
  {
    apiVersion: "seawall.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name, namespace: "shop" },
    spec: parse(spec) as AnyAccessPolicy["spec"],
  },
]);

const STRICT = effectiveMutualTls(undefined, CLOSED_MESH, "Deny", PORT);

let sidecar: PolicySidecar;
let tokenWith: (claims: Record<string, unknown>) => Promise<string>;
beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "k", alg: "ES256" }] });
  tokenWith = (claims) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", kid: "k" })
      .setIssuer(ISSUER)
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(privateKey);
  const tokens: AuthenticationPolicy = {
    apiVersion: "seawall.dev/v1alpha1",
    kind: "AuthenticationPolicy",
    metadata: { name: "tokens", namespace: "shop" },
    spec: { targetRefs: [{ kind: "Namespace" }], accept: [{ jwt: { issuer: ISSUER, jwks: { inline: keys } } }], anonymous: "Allow" },
  };
  const authentication = translateAuthentication(tokens, PORT, () => ({ state: "pending", error: "no key set is remote here" }));
  const contributions = policies.map(([name, policy]): readonly [string, readonly PortContribution[]] => {
    const { rules } = translateAccess(policy, { trustDomain: TRUST_DOMAIN, port: PORT });
    return [name, [authentication, { rbac: rules, closesPort: closesPort(policy) }]];
  });
  sidecar = await startPolicySidecar({
    ...Object.fromEntries(contributions),
    strict: [{ rbac: translateMutualTls(STRICT, TRUST_DOMAIN) }],
  });
});
afterAll(() => sidecar.stop());

const situation: AccessSituation = {
  policies: [],
  invalid: [],
  default: "Allow",
  trustDomain: TRUST_DOMAIN,
  namespace: "shop",
  workload: "orders",
  port: PORT,
};

async function answer(scenario: string, asked: Asked): Promise<number> {
  const { as, claims, method = "GET", path = "/", host = "orders", headers = [] } = asked;
  const authorization: HeaderLine[] = claims === undefined ? [] : [["authorization", `Bearer ${await tokenWith(claims)}`]];
  const { status } = await sidecar.send(scenario, { method, path, authority: host, headers: [...headers, ...authorization] }, as);
  return status;
}

function predicted(situated: AccessSituation, asked: Asked): number {
  const { as, claims, method = "GET", path = "/", host = "orders", headers = [] } = asked;
  const request: PolicyRequest = {
    method,
    path,
    host,
    headers: headers.map(([name, value]) => [name.toLowerCase(), value] as const),
    peerAddress: "127.0.0.1",
    ...(as === undefined ? {} : { identity: as }),
    jwts: claims === undefined ? [] : [{ issuer: ISSUER, claims: { iss: ISSUER, ...claims } }],
  };
  return evaluateAccess(request, situated).status;
}

describe("on a real Envoy", () => {
  it.each(policies)("%s means what it says", async (scenario, policy) => {
    const answers: [Asked, number][] = [];
    for (const asked of REQUESTS) answers.push([asked, await answer(scenario, asked)]);
    expect(answers).toEqual(REQUESTS.map((asked) => [asked, predicted({ ...situation, policies: [policy] }, asked)]));
    // A scenario whose answers are all the same would prove nothing.
    const statuses = new Set(answers.map(([, status]) => status));
    if (scenario !== "peers") expect(statuses.has(403)).toBe(true);
    if (scenario !== "nothing" && scenario !== "strangers") expect(statuses.has(200)).toBe(true);
  });

  it("strictness refuses exactly those who have no identity of the mesh", async () => {
    for (const asked of [{}, { as: WEB }, { as: BANK }]) {
      expect([asked, await answer("strict", asked)]).toEqual([asked, predicted({ ...situation, strictMutualTls: STRICT.rule }, asked)]);
    }
  });
});
