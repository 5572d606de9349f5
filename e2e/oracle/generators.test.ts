import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { unmetFrom } from "../../crds/core/match/evaluate-from.ts";
import { unmetTo } from "../../crds/core/match/evaluate-to.ts";
import { unmetWhen } from "../../crds/core/match/evaluate-when.ts";
import { Rule } from "../../crds/core/match/rule.ts";
import { validateRules } from "../../crds/core/match/validate-rules.ts";
import type { PolicyRequest } from "../../crds/core/request.ts";
import { checkSchema } from "../../crds/core/schema.ts";
import { errorsOf } from "../../crds/core/violation.ts";
import { http1Bytes } from "../support/http1-client.ts";
import { AUDIENCE, ISSUERS, NAMESPACE, PORT, TRUST_DOMAIN } from "./cast.ts";
import { MUTATIONS } from "./mutation.ts";
import type { OracleRequest } from "./oracle-request.ts";
import { type OraclePolicy, policySet } from "./policy-arbitrary.ts";
import { realize, requestRecipe } from "./request-arbitrary.ts";
import { TOKEN_FAULTS, TokenMint } from "./token-presentation.ts";
import { onTheWire } from "./wire.ts";

const SEED = 20261121;

describe("the oracle's policies", () => {
  it("are valid", () => {
    for (const policies of fc.sample(policySet, { seed: SEED, numRuns: 1000 })) {
      for (const { kind, action, rules } of policies) {
        const context = { namespace: kind === "AccessPolicy" ? NAMESPACE : undefined, action };
        expect(rules.flatMap((rule, index) => checkSchema(Rule, rule, `rules[${index}]`))).toEqual([]);
        expect(errorsOf(validateRules(rules, "rules", context))).toEqual([]);
      }
    }
  });
});

describe("the oracle's requests", () => {
  /** Whether some rule speaks of the request, as far as caller, call and headers go; tokens that are broken prove nothing. */
  function spokenOf(request: OracleRequest, policies: readonly OraclePolicy[]): boolean {
    const seen: PolicyRequest = {
      method: request.method,
      path: request.path,
      host: request.authority,
      headers: request.headers,
      peerAddress: request.peerAddress,
      ...(request.identity === undefined ? {} : { identity: request.identity }),
      jwts: request.tokens.every(({ fault }) => fault === "none") ? request.tokens : [],
    };
    return policies.some(({ kind, action, rules }) =>
      rules.some((rule) => {
        const namespace = kind === "AccessPolicy" ? NAMESPACE : undefined;
        const context = { namespace, trustDomain: TRUST_DOMAIN, port: PORT, unknown: action === "Deny" };
        return (
          (rule.from?.some((from) => unmetFrom(from, seen, context).length === 0) ?? true) &&
          (rule.to?.some((to) => unmetTo(to, seen, context).length === 0) ?? true) &&
          unmetWhen(rule.when, seen, context, action).length === 0
        );
      }),
    );
  }

  it("often meet a rule, and often just miss all", () => {
    const samples = fc.sample(fc.tuple(policySet, requestRecipe), { seed: SEED, numRuns: 4000 });
    const met = samples.filter(([policies, recipe]) => spokenOf(realize(recipe, policies), policies)).length / samples.length;
    expect([met, met > 0.3 && met < 0.8]).toEqual([met, true]);
  });

  it("are bent in every way, and stay the same for the same recipe", () => {
    const used = new Set<string>();
    for (const [policies, recipe] of fc.sample(fc.tuple(policySet, requestRecipe), { seed: SEED, numRuns: 2000 })) {
      expect(realize(recipe, policies)).toEqual(realize(recipe, policies));
      for (const mutation of recipe.mutations) used.add(mutation);
    }
    expect([...used].sort()).toEqual([...MUTATIONS].sort());
  });

  it("shrink to one policy of one rule and the bend that matters, with one beside it at most", () => {
    const result = fc.check(
      fc.property(policySet, requestRecipe, (policies, recipe) => !realize(recipe, policies).path.includes("%00")),
      { seed: SEED, numRuns: 5000 },
    );
    const [policies, recipe] = result.counterexample ?? [[], undefined];
    expect([result.failed, policies.length, policies[0]?.rules.length]).toEqual([true, 1, 1]);
    expect(recipe?.mutations).toContain("nul");
    expect(recipe?.mutations.length).toBeLessThanOrEqual(2);
  });
});

describe("the oracle's tokens", () => {
  const now = Math.floor(Date.now() / 1000);

  it.each(TOKEN_FAULTS)("with the fault %s verify only if it is none", async (fault) => {
    const mint = await TokenMint.open();
    for (const issuer of ISSUERS) {
      const token = await mint.mint({ issuer, claims: { role: "admin" }, fault }, now);
      const keys = createLocalJWKSet(JSON.parse(mint.jwks(issuer)) as JSONWebKeySet);
      const verified = jwtVerify(token, keys, { issuer, audience: AUDIENCE, requiredClaims: ["exp"] });
      const accepted = await verified.then(
        ({ payload }) => payload["role"] === "admin",
        () => false,
      );
      expect(accepted).toBe(fault === "none");
    }
  });

  it("are sent in a line each", async () => {
    const mint = await TokenMint.open();
    const token = { issuer: ISSUERS[0], claims: {}, fault: "garbage" } as const;
    const request: OracleRequest = {
      version: 1,
      method: "get",
      path: "/%2f",
      authority: "X.",
      headers: [["a", "1"]],
      identity: undefined,
      peerAddress: "127.0.0.1",
      tokens: [token, token],
    };
    expect(http1Bytes(await onTheWire(request, mint, now)).toString()).toBe(
      "get /%2f HTTP/1.1\r\nhost: X.\r\na: 1\r\nauthorization: Bearer not.a.token\r\nauthorization: Bearer not.a.token\r\n\r\n",
    );
  });
});
