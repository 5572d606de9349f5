import { describe, expect, it } from "@jest/globals";
import { checkSchema } from "../core/schema.ts";
import { authenticationPolicy, type AuthenticationPolicySpec } from "./index.ts";
import { tokenIssuer } from "./testing/token-issuer.ts";

const issuer = tokenIssuer("https://a.example.com");
const jwt = { issuer: issuer.name, audiences: ["shop"], jwks: { inline: issuer.jwks } };
const targetRefs = [{ kind: "Service", name: "orders" }];

/** `path reason` of everything that is wrong with a spec; warnings are in brackets. */
function judge(spec: Record<string, unknown>): string[] {
  const whole = { targetRefs, ...spec };
  const found = checkSchema(authenticationPolicy.schema, whole, "spec");
  const metadata = { name: "orders", namespace: "shop" };
  const object = { apiVersion: "seawall.dev/v1alpha1", kind: "AuthenticationPolicy", metadata, spec: whole as AuthenticationPolicySpec };
  return [...found, ...(found.length === 0 ? authenticationPolicy.validate(object) : [])].map(({ path, reason, severity }) =>
    severity === "warning" ? `[${path} ${reason}]` : `${path} ${reason}`,
  );
}
const judgeJwt = (more: Record<string, unknown>): string[] => judge({ accept: [{ jwt: { ...jwt, ...more } }] });

describe("an AuthenticationPolicy", () => {
  it("is accepted when it says everything", () => {
    const from = [{ header: "Authorization", prefix: "Bearer " }, { header: "x-token" }];
    const claimsToHeaders = [
      { claim: "sub", header: "x-user" },
      { claim: "/realm/tenant", header: "x-tenant" },
    ];
    const accept = [{ mutualTLS: {} }, { jwt: { ...jwt, from, maxLifetime: "1h30m", claimsToHeaders } }];
    expect(judge({ accept, anonymous: "Allow", except: [{ to: [{ paths: ["/healthz"] }] }] })).toEqual([]);
  });

  it.each([
    ["accepts nothing", {}, ["spec.accept Required"]],
    ["accepts an empty list", { accept: [] }, ["spec.accept Invalid"]],
    ["accepts an empty proof", { accept: [{}] }, ["spec.accept[0] Invalid"]],
    ["puts two proofs into one item", { accept: [{ mutualTLS: {}, jwt }] }, ["spec.accept[0] TooMany"]],
    ["accepts mutual TLS twice", { accept: [{ mutualTLS: {} }, { mutualTLS: {} }] }, ["spec.accept[1] Duplicate"]],
    ["asks for API keys", { accept: [{ apiKey: {} }] }, ["spec.accept[0].apiKey NotSupported"]],
    ["asks for a login", { accept: [{ oidc: {} }] }, ["spec.accept[0].oidc NotSupported"]],
    ["only audits", { accept: [{ mutualTLS: {} }], enforcement: "Audit" }, ["spec.enforcement NotSupported"]],
    ["misspells a word", { accept: [{ mutualTLS: {} }], anonymus: "Allow" }, ["spec.anonymus UnknownField"]],
    ["refuses nobody", { accept: [{ mutualTLS: {} }], anonymous: "Allow" }, ["[spec.anonymous Invalid]"]],
    ["excepts nothing", { accept: [{ mutualTLS: {} }], except: [{ to: [{}] }] }, ["spec.except[0].to[0] Invalid"]],
    [
      "excepts by caller",
      { accept: [{ mutualTLS: {} }], except: [{ from: [] }] },
      ["spec.except[0].to Required", "spec.except[0].from UnknownField"],
    ],
    [
      "excepts a bad path",
      { accept: [{ mutualTLS: {} }], except: [{ to: [{ paths: ["healthz"], methods: ["get"] }] }] },
      ["spec.except[0].to[0].methods[0] Invalid", "spec.except[0].to[0].paths[0] Invalid"],
    ],
    ["protects nothing", { targetRefs: undefined, accept: [{ mutualTLS: {} }] }, ["spec Required"]],
    ["accepts one issuer twice at one place", { accept: [{ jwt }, { jwt }] }, ["spec.accept[1].jwt.issuer Duplicate"]],
    ["accepts one issuer at two places", { accept: [{ jwt }, { jwt: { ...jwt, from: [{ header: "x-token" }] } }] }, []],
    [
      "reads one header in two ways",
      { accept: [{ jwt }, { jwt: { ...jwt, issuer: "b", from: [{ header: "authorization", prefix: "Token " }] } }] },
      ["spec.accept[1].jwt.from Conflict"],
    ],
  ] as const)("that %s is told so", (_, spec, expected) => {
    expect(judge(spec)).toEqual(expected);
  });

  it.each([
    ["without audiences", { audiences: undefined }, ["[spec.accept[0].jwt.audiences Required]"]],
    ["without keys", { jwks: {} }, ["spec.accept[0].jwt.jwks Invalid"]],
    ["with keys from two sources", { jwks: { inline: issuer.jwks, uri: "https://x/" } }, ["spec.accept[0].jwt.jwks TooMany"]],
    ["with an empty key set", { jwks: { inline: '{"keys":[]}' } }, ["spec.accept[0].jwt.jwks.inline Invalid"]],
    ["with keys that are not JSON", { jwks: { inline: "keys" } }, ["spec.accept[0].jwt.jwks.inline Invalid"]],
    ["with keys from a file", { jwks: { uri: "file:///keys" } }, ["spec.accept[0].jwt.jwks.uri Invalid"]],
    ["with keys from nowhere", { jwks: { uri: "idp" } }, ["spec.accept[0].jwt.jwks.uri Invalid"]],
    ["with a password in the address of its keys", { jwks: { uri: "https://a:b@idp/" } }, ["spec.accept[0].jwt.jwks.uri Invalid"]],
    ["with keys over plain http", { jwks: { uri: "http://idp/jwks" } }, ["[spec.accept[0].jwt.jwks.uri Invalid]"]],
    ["with an odd lifetime", { maxLifetime: "1 hour" }, ["spec.accept[0].jwt.maxLifetime Invalid"]],
    ["with a lifetime of nothing", { maxLifetime: "0s" }, ["spec.accept[0].jwt.maxLifetime Invalid"]],
    ["in a cookie", { from: [{ cookie: "sid" }] }, ["spec.accept[0].jwt.from[0].cookie NotSupported"]],
    ["in the cookie header", { from: [{ header: "Cookie" }] }, ["spec.accept[0].jwt.from[0].header NotSupported"]],
    ["in a framing header", { from: [{ header: "Host" }] }, ["spec.accept[0].jwt.from[0].header Invalid"]],
    ["in two places at once", { from: [{ header: "x-token", query: "t" }] }, ["spec.accept[0].jwt.from[0] Invalid"]],
    ["in the query", { from: [{ query: "token" }] }, ["[spec.accept[0].jwt.from[0].query Invalid]"]],
    [
      "in an odd parameter",
      { from: [{ query: "a b" }] },
      ["[spec.accept[0].jwt.from[0].query Invalid]", "spec.accept[0].jwt.from[0].query Invalid"],
    ],
    ["behind an odd prefix", { from: [{ header: "authorization", prefix: " x" }] }, ["spec.accept[0].jwt.from[0].prefix Invalid"]],
    ["behind a prefix elsewhere", { from: [{ header: "x-token", prefix: "v1=" }] }, ["spec.accept[0].jwt.from[0].prefix Invalid"]],
    ["at one place twice", { from: [{ header: "X-Token" }, { header: "x-token" }] }, ["spec.accept[0].jwt.from[1] Duplicate"]],
    [
      "whose claim goes into its own header",
      { claimsToHeaders: [{ claim: "sub", header: "Authorization" }] },
      ["spec.accept[0].jwt.claimsToHeaders[0].header Invalid", "spec.accept[0].jwt.claimsToHeaders[0].header Conflict"],
    ],
    [
      "whose claim goes into a header of Envoy's",
      { claimsToHeaders: [{ claim: "sub", header: "x-envoy-foo" }] },
      ["spec.accept[0].jwt.claimsToHeaders[0].header Invalid"],
    ],
    [
      "whose claim has no name",
      { claimsToHeaders: [{ claim: "/a//b", header: "x-a" }] },
      ["spec.accept[0].jwt.claimsToHeaders[0].claim Invalid"],
    ],
    [
      "with two claims for one header",
      {
        claimsToHeaders: [
          { claim: "sub", header: "x-a" },
          { claim: "iss", header: "X-A" },
        ],
      },
      ["spec.accept[0].jwt.claimsToHeaders[1].header Duplicate"],
    ],
  ] as const)("with a token %s is told so", (_, more, expected) => {
    expect(judgeJwt(more)).toEqual(expected);
  });
});
