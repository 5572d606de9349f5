import { beforeAll, describe, expect, it } from "@jest/globals";
import type { Identity } from "../../ca/spiffe.ts";
import type { HeaderLine, HostileRequest } from "../../e2e/support/http-client.ts";
import { Http1Client, http1Bytes } from "../../e2e/support/http1-client.ts";
import { Http2Client } from "../../e2e/support/http2-client.ts";
import { type PolicySidecar, startPolicySidecar } from "../../e2e/support/policy-sidecar.ts";
import type { ReceivedRequest } from "../../e2e/support/upstream.ts";
import type { PolicyRequest } from "../core/request.ts";
import {
  type AuthenticationPolicy,
  type AuthenticationPolicySpec,
  evaluate,
  presentedTokens,
  translate,
  translateInvalid,
} from "./index.ts";
import type { JwksOf } from "./jwks-state.ts";
import { inSeconds, tokenIssuer, unsignedToken } from "./testing/token-issuer.ts";

const a = tokenIssuer("https://a.example.com");
const b = tokenIssuer("https://b.example.com");
/** Says that it is `a`, down to the name of the key. */
const forger = tokenIssuer(a.name);
const forge = forger.token({ aud: "shop" });

const web: Identity = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
const port = { number: 8080, name: "http", protocol: "HTTP" } as const;
const jwksOf: JwksOf = (uri) => (uri.includes("gone") ? { state: "pending", error: "not fetched yet" } : { state: "good", keys: b.jwks });

const jwtOfA = { issuer: a.name, audiences: ["shop"], jwks: { inline: a.jwks } };
const jwtOfB = { issuer: b.name, jwks: { uri: "https://b.example.com/jwks" } };
const inHeader = [{ header: "X-Token" }];

const specs = {
  issuers: { accept: [{ jwt: { ...jwtOfA, claimsToHeaders: [{ claim: "sub", header: "X-User" }] } }, { jwt: jwtOfB }] },
  optional: {
    accept: [{ jwt: { ...jwtOfA, claimsToHeaders: [{ claim: "sub", header: "x-user" }] } }, { jwt: jwtOfB }],
    anonymous: "Allow",
  },
  "other-audience": { accept: [{ jwt: { ...jwtOfA, audiences: ["other"] } }], anonymous: "Allow" },
  places: {
    accept: [
      {
        jwt: {
          ...jwtOfA,
          from: [{ header: "authorization" }, { header: "x-token" }, { query: "token" }],
          claimsToHeaders: [
            { claim: "sub", header: "x-user" },
            { claim: "/realm/tenant", header: "x-tenant" },
          ],
        },
      },
      { jwt: { ...jwtOfB, from: inHeader, claimsToHeaders: [{ claim: "sub", header: "x-user" }] } },
    ],
  },
  "places-optional": {
    accept: [
      {
        jwt: { ...jwtOfA, from: [{ header: "authorization" }, { query: "token" }], claimsToHeaders: [{ claim: "sub", header: "x-user" }] },
      },
    ],
    anonymous: "Allow",
  },
  either: { accept: [{ mutualTLS: {} }, { jwt: jwtOfA }] },
  mesh: { accept: [{ mutualTLS: {} }] },
  open: { accept: [{ mutualTLS: {} }], anonymous: "Allow" },
  except: {
    accept: [{ jwt: { ...jwtOfA, claimsToHeaders: [{ claim: "sub", header: "x-user" }] } }],
    except: [{ to: [{ methods: ["GET"], paths: ["/healthz", "/public/**"] }] }, { to: [{ ports: [9999] }] }],
  },
  lifetime: { accept: [{ jwt: { ...jwtOfA, maxLifetime: "1h" } }] },
  unavailable: { accept: [{ jwt: { ...jwtOfB, jwks: { uri: "https://gone.example.com/jwks" } } }, { jwt: jwtOfA }, { mutualTLS: {} }] },
} satisfies Record<string, AuthenticationPolicySpec>;
type Scenario = keyof typeof specs;

const policyOf = (name: Scenario): AuthenticationPolicy => ({
  apiVersion: "seawall.dev/v1alpha1",
  kind: "AuthenticationPolicy",
  metadata: { name, namespace: "shop" },
  spec: specs[name],
});

let sidecar: PolicySidecar;
beforeAll(async () => {
  const all = (Object.keys(specs) as Scenario[]).map((name) => translate(policyOf(name), port, jwksOf));
  // All policies of a workload share one filter, so every scenario has the providers of all the others.
  const providers = Object.assign({}, ...all.map(({ jwtProviders }) => jwtProviders)) as NonNullable<(typeof all)[number]["jwtProviders"]>;
  const shared = all.map((contribution) => ({ ...contribution, jwtProviders: providers }));
  const scenarios = Object.fromEntries(Object.keys(specs).map((name, index) => [name, [shared[index] ?? {}]]));
  sidecar = await startPolicySidecar({ ...scenarios, invalid: [translateInvalid({ name: "broken", namespace: "shop" })] });
});

const bearer = (token: string): HeaderLine => ["authorization", `Bearer ${token}`];

interface Answer {
  readonly status: number;
  readonly received: ReceivedRequest | undefined;
  readonly body: string;
}

/** Sends a request, and holds `evaluate` to what Envoy did with it. */
async function send(scenario: Scenario, request: Partial<HostileRequest> = {}, as?: Identity): Promise<Answer> {
  const answer = await sidecar.send(scenario, request, as);
  const asked: PolicyRequest = {
    method: request.method ?? "GET",
    path: request.path ?? "/",
    host: "orders",
    headers: request.headers ?? [],
    peerAddress: "127.0.0.1",
    jwts: [],
    ...(as === undefined ? {} : { identity: as }),
  };
  const { spec } = policyOf(scenario);
  const predicted = evaluate(spec, asked, port, await presentedTokens(spec, asked, jwksOf, inSeconds(0)));
  expect({ status: answer.status, reason: predicted.reason }).toEqual({
    status: predicted.outcome === "refused" ? predicted.status : 200,
    reason: predicted.reason,
  });
  const received = answer.status === 200 ? (JSON.parse(answer.body) as ReceivedRequest) : undefined;
  return { status: answer.status, body: answer.body, received };
}

const statusOf = async (scenario: Scenario, headers: readonly HeaderLine[], as?: Identity): Promise<number> =>
  (await send(scenario, { headers }, as)).status;
const headersOf = ({ received }: Answer, name: string): string[] =>
  (received?.headers ?? []).filter(([header]) => header === name).map(([, value]) => value);

describe("a policy with several issuers at one place", () => {
  it("lets a token of each issuer in, and nobody without a token", async () => {
    expect(await statusOf("issuers", [bearer(a.token({ aud: "shop" }))])).toBe(200);
    expect(await statusOf("issuers", [bearer(b.token())])).toBe(200);
    expect(await statusOf("issuers", [])).toBe(401);
  });

  it.each(
    Object.entries({
      "that is forged": forge,
      "without a signature": unsignedToken(a, "", { aud: "shop" }),
      "of alg none with a signature": unsignedToken(a, "AAAA", { aud: "shop" }),
      "signed by HS256 with the public key": a.tokenSignedWithPublicKey({ aud: "shop" }),
      "that has expired": a.token({ aud: "shop", exp: inSeconds(-90) }),
      "that never expires": a.token({ aud: "shop", exp: undefined }),
      "that expires at the epoch": a.token({ aud: "shop", exp: 0 }),
      "whose expiry is text": a.token({ aud: "shop", exp: "2099" }),
      "that is not valid yet": a.token({ aud: "shop", nbf: inSeconds(3600), exp: inSeconds(7200) }),
      "for another audience": a.token({ aud: "elsewhere" }),
      "for no audience": a.token(),
      "of an unknown issuer": tokenIssuer("https://c.example.com").token(),
      "without an issuer": a.token({ aud: "shop", iss: undefined }),
      "of one issuer signed by the other": b.token({ iss: a.name, aud: "shop" }),
      "of another key": a.token({ aud: "shop" }, { kid: "other" }),
      "of four parts": `${a.token({ aud: "shop" })}.x`,
      "with padding": `${a.token({ aud: "shop" })}=`,
      "whose subject is a number": a.token({ aud: "shop", sub: 7 }),
    }),
  )("refuses a token %s", async (_, token) => {
    expect(await statusOf("issuers", [bearer(token)])).toBe(401);
    expect(await statusOf("optional", [bearer(token)])).toBe(401);
  });

  it("allows clocks to be a minute apart, and an audience with a scheme or a last slash", async () => {
    expect(await statusOf("issuers", [bearer(a.token({ aud: ["x", "https://shop/"], exp: inSeconds(-30), nbf: inSeconds(30) }))])).toBe(
      200,
    );
  });

  it("says in the log why, and which policy it was", async () => {
    const headers: HeaderLine[] = [bearer(a.token({ aud: "elsewhere" })), ["x-request-id", "wrong-audience"]];
    await send("issuers", { headers });
    expect(await sidecar.logged("wrong-audience")).toMatchObject({
      status: 401,
      verdict: "denied",
      policy: "authenticationpolicy/shop/issuers",
      details: "jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}",
    });
  });
});

describe("a token that is presented where tokens are optional", () => {
  it("must be valid all the same", async () => {
    expect(await statusOf("optional", [])).toBe(200);
    expect(await statusOf("optional", [bearer(a.token({ aud: "shop" }))])).toBe(200);
    expect(await statusOf("optional", [bearer(forge)])).toBe(401);
  });

  it("is not accepted because another policy of the workload would accept it", async () => {
    expect(await statusOf("optional", [bearer(a.token({ aud: "other" }))])).toBe(401);
    expect(await statusOf("other-audience", [bearer(a.token({ aud: "shop" }))])).toBe(401);
    expect(await statusOf("other-audience", [bearer(a.token({ aud: "other" }))])).toBe(200);
  });

  it.each([
    ["a scheme in another case", `bearer ${forge}`],
    ["a scheme in capitals", `BEARER ${forge}`],
    ["a tab", `Bearer\t${forge}`],
    ["two spaces", `Bearer  ${a.token({ aud: "shop" })}`],
    ["something before", `x Bearer ${a.token({ aud: "shop" })}`],
    ["a second token behind a comma", `Bearer ${a.token({ aud: "shop" })}, Bearer ${forge}`],
    ["a second token behind a space", `Bearer ${a.token({ aud: "shop" })} ${forge}`],
    ["another scheme before", `Basic Zm9v, bearer ${forge}`],
  ])("is refused when it hides behind %s", async (_, value) => {
    expect(await statusOf("optional", [["authorization", value]])).toBe(401);
    expect(await statusOf("either", [["authorization", value]], web)).toBe(401);
  });

  it("is refused when the value is no text at all", async () => {
    using client = new Http1Client({ port: await sidecar.plainPort("optional") });
    const statusOfBytes = async (value: string): Promise<number> => {
      const request = http1Bytes({ method: "GET", path: "/", authority: "orders", headers: [["authorization", value]] });
      return (await client.exactly(Buffer.from(request.toString(), "latin1"))).status;
    };
    expect(await statusOfBytes(`bearer ${forge}\xff`)).toBe(401);
    expect(await statusOfBytes(`\xff bearer ${forge}`)).toBe(401);
    expect(await statusOfBytes(`Bearer ${a.token({ aud: "shop" })}\xff`)).toBe(401);
    expect(await statusOfBytes("Basic \xff")).toBe(200);
  });

  it("is refused in a second line over HTTP/2 too", async () => {
    using client = new Http2Client({ port: await sidecar.plainPort("optional") });
    const lines = (...headers: readonly HeaderLine[]): HostileRequest => ({ method: "GET", path: "/", authority: "orders", headers });
    expect((await client.request(lines(bearer(a.token({ aud: "shop" }))))).status).toBe(200);
    expect((await client.request(lines(bearer(a.token({ aud: "shop" })), ["authorization", `bearer ${forge}`]))).status).toBe(401);
    expect((await client.request(lines(["authorization", `bearer ${forge}`], bearer(a.token({ aud: "shop" }))))).status).toBe(401);
  });

  it("is refused in a second line", async () => {
    expect(await statusOf("optional", [bearer(a.token({ aud: "shop" })), bearer(forge)])).toBe(401);
    expect(await statusOf("optional", [bearer(forge), bearer(a.token({ aud: "shop" }))])).toBe(401);
    expect(await statusOf("optional", [bearer(a.token({ aud: "shop" })), ["authorization", `bearer ${forge}`]])).toBe(401);
  });

  it("is not seen in other schemes", async () => {
    for (const value of ["Basic Zm9vOmJhcg==", "Bearer", "Basic bearer", "Digest a=b"]) {
      expect(await statusOf("optional", [["authorization", value]])).toBe(200);
    }
  });
});

describe("a policy with several places", () => {
  const first = a.token({ aud: "shop", sub: "first", realm: { tenant: "t1" } });
  const second = a.token({ aud: "shop", sub: "second" });
  const other = b.token({ sub: "other" });

  it("accepts a token at any of them and hands its claims over", async () => {
    for (const request of [
      { headers: [bearer(first)] },
      { headers: [["x-token", first] as const] },
      { path: `/?token=${first}` },
      { path: `/?a=b&%74oken=${first}` },
    ]) {
      const answer = await send("places", request);
      expect([answer.status, headersOf(answer, "x-user"), headersOf(answer, "x-tenant")]).toEqual([200, ["first"], ["t1"]]);
    }
    expect((await send("places")).status).toBe(401);
  });

  it("refuses a bad token at one place beside a good one at another", async () => {
    expect(await statusOf("places", [bearer(first), ["x-token", forge]])).toBe(401);
    expect(await statusOf("places", [bearer(forge), ["x-token", other]])).toBe(401);
    expect(await statusOf("places", [bearer(first), ["x-token", ""]])).toBe(401);
    expect((await send("places", { headers: [bearer(first)], path: `/?token=${forge}` })).status).toBe(401);
    expect((await send("places", { headers: [bearer(first)], path: "/?token" })).status).toBe(401);
    expect((await send("places-optional", { path: `/?token=${forge}` })).status).toBe(401);
  });

  it("takes the claims of the first place, whatever comes behind", async () => {
    expect(headersOf(await send("places", { headers: [["x-token", second], bearer(first)] }), "x-user")).toEqual(["first"]);
    expect(headersOf(await send("places", { headers: [bearer(first), ["x-token", other]] }), "x-user")).toEqual(["first"]);
    expect(headersOf(await send("places", { headers: [["x-token", other]] }), "x-user")).toEqual(["other"]);
  });

  it("keeps the claims of the first place when there is no token at the others", async () => {
    expect(headersOf(await send("places", { headers: [bearer(first)] }), "x-user")).toEqual(["first"]);
    expect(headersOf(await send("places-optional", { headers: [bearer(first)] }), "x-user")).toEqual(["first"]);
    expect(headersOf(await send("places-optional", { headers: [["x-user", "root"]] }), "x-user")).toEqual([]);
  });

  it("accepts several lines of a header only when all are valid and of one issuer", async () => {
    const twice = await send("places", {
      headers: [
        ["x-token", first],
        ["x-token", second],
      ],
    });
    expect(headersOf(twice, "x-user")).toEqual(["second", "first"]);
    const linesOf = (...values: readonly string[]): HeaderLine[] => values.map((value) => ["x-token", value]);
    expect(await statusOf("places", linesOf(first, other))).toBe(401);
    expect(await statusOf("places", linesOf(first, forge))).toBe(401);
    expect(await statusOf("places", linesOf(forge, first))).toBe(401);
  });

  it("refuses a query parameter that is given twice, however it is spelled", async () => {
    for (const query of [`token=${first}&token=${forge}`, `token=${first}&%74oken=${forge}`, `%74o%6ben=${first}&x&token`, "token&token"]) {
      expect((await send("places", { path: `/?${query}` })).status).toBe(401);
    }
    for (const query of [`tokens=x&token=${first}`, `token=${first}&xtoken=y`, `a=?token=x&token=${first}`, `token=${first}&Token=x`]) {
      expect((await send("places", { path: `/?${query}` })).status).toBe(200);
    }
  });
});

describe("mutual TLS as a proof", () => {
  it("lets a mesh identity in, or a token, and nobody else", async () => {
    expect(await statusOf("either", [], web)).toBe(200);
    expect(await statusOf("either", [bearer(a.token({ aud: "shop" }))])).toBe(200);
    expect(await statusOf("either", [])).toBe(401);
  });

  it("does not excuse a bad token beside it", async () => {
    expect(await statusOf("either", [bearer(forge)], web)).toBe(401);
    expect(await statusOf("either", [bearer(a.token({ aud: "shop" }))], web)).toBe(200);
  });

  it("alone refuses whoever comes without it, token or not", async () => {
    expect(await statusOf("mesh", [], web)).toBe(200);
    expect(await statusOf("mesh", [])).toBe(401);
    expect(await statusOf("mesh", [bearer(a.token({ aud: "shop" })), ["x-seawall-nobody", forge]])).toBe(401);
  });

  it("is no proof where it is not accepted", async () => {
    expect(await statusOf("issuers", [], web)).toBe(401);
  });

  it("is not asked of anybody where anonymous callers are allowed", async () => {
    expect(await statusOf("open", [])).toBe(200);
    expect(await statusOf("open", [], web)).toBe(200);
  });
});

describe("an exception", () => {
  it("needs no proof and reads no token", async () => {
    expect((await send("except", { path: "/healthz" })).status).toBe(200);
    expect((await send("except", { path: "/public/a?x=y", headers: [bearer(forge)] })).status).toBe(200);
    const valid = await send("except", { path: "/healthz", headers: [bearer(a.token({ aud: "shop" }))] });
    expect(headersOf(valid, "x-user")).toEqual([]);
  });

  it("covers what it names and nothing else", async () => {
    expect((await send("except", { path: "/healthz", method: "POST" })).status).toBe(401);
    expect((await send("except", { path: "/healthz/x" })).status).toBe(401);
    expect((await send("except", { path: "/public/../orders" })).status).toBe(401);
  });

  it("does not let a caller set the header of a claim", async () => {
    const answer = await send("except", { path: "/healthz", headers: [["x-user", "root"]] });
    expect(headersOf(answer, "x-user")).toEqual([]);
  });
});

describe("the header of a claim", () => {
  it("is what the token says, never what the caller says", async () => {
    const headers: HeaderLine[] = [bearer(a.token({ aud: "shop", sub: "alice" })), ["x-user", "root"], ["X-User", "root"]];
    expect(headersOf(await send("issuers", { headers }), "x-user")).toEqual(["alice"]);
  });

  it("is absent for anonymous callers and for tokens without the claim", async () => {
    expect(headersOf(await send("optional", { headers: [["x-user", "root"]] }), "x-user")).toEqual([]);
    expect(headersOf(await send("optional", { headers: [bearer(b.token()), ["x-user", "root"]] }), "x-user")).toEqual([]);
  });

  it.each([
    [42, "42"],
    [1.5, "1.500000"],
    [-3, "-3.000000"],
    [true, "true"],
    [["x"], Buffer.from('["x"]').toString("base64")],
    [{ k: 1 }, Buffer.from('{"k":1}').toString("base64")],
    [null, undefined],
  ])("is, for the claim %j, %j", async (tenant, expected) => {
    const token = a.token({ aud: "shop", realm: { tenant } });
    expect(headersOf(await send("places", { headers: [bearer(token)] }), "x-tenant")).toEqual(expected === undefined ? [] : [expected]);
  });

  it("cannot smuggle a second header", async () => {
    const token = a.token({ aud: "shop", sub: "alice\r\nx-admin: yes" });
    const answer = await sidecar.send("issuers", { headers: [bearer(token)] });
    expect(answer.status).toBe(503);
  });
});

describe("a longest lifetime", () => {
  it("is what may be left of it when the token is presented", async () => {
    expect(await statusOf("lifetime", [bearer(a.token({ aud: "shop", exp: inSeconds(3500) }))])).toBe(200);
    expect(await statusOf("lifetime", [bearer(a.token({ aud: "shop", exp: inSeconds(3700) }))])).toBe(401);
    expect(await statusOf("lifetime", [bearer(a.token({ aud: "shop", iat: inSeconds(-7200), exp: inSeconds(60) }))])).toBe(200);
  });
});

describe("an issuer whose keys are not there", () => {
  it("has its tokens refused, while other proofs keep working", async () => {
    expect(await statusOf("unavailable", [bearer(b.token())])).toBe(401);
    expect(await statusOf("unavailable", [bearer(b.token())], web)).toBe(401);
    expect(await statusOf("unavailable", [bearer(a.token({ aud: "shop" }))])).toBe(200);
    expect(await statusOf("unavailable", [], web)).toBe(200);
    expect(await statusOf("unavailable", [])).toBe(401);
  });

  it("is named in the routes, for the log", () => {
    expect(translate(policyOf("unavailable"), port, jwksOf).metadata).toEqual({
      authentication: "authenticationpolicy/shop/unavailable",
      jwksUnavailable: "https://gone.example.com/jwks: not fetched yet",
    });
  });
});

describe("an invalid policy", () => {
  it("refuses everything under its name", async () => {
    const answer = await sidecar.send("invalid", { headers: [["x-request-id", "invalid-policy"]] }, web);
    expect(answer.status).toBe(403);
    expect(await sidecar.logged("invalid-policy")).toMatchObject({ policy: "authenticationpolicy/shop/broken/invalid" });
  });
});
