import { describe, expect, it } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { contributionConfig, type ContributionConfig, judgeable } from "../../e2e/support/contribution-config.ts";
import { expectEnvoyAccepts } from "../../e2e/support/envoy-validation.ts";
import { expectGoldens, goldenOutputs } from "../../e2e/support/golden.ts";
import { checkSchema } from "../core/schema.ts";
import { errorsOf } from "../core/violation.ts";
import { type AuthenticationPolicy, authenticationPolicy, type JwksOf, translate } from "./index.ts";
import { UNKNOWABLE_JWKS } from "./unknowable-key.ts";

const TESTDATA = join(import.meta.dirname, "testdata");
const EXAMPLES = join(import.meta.dirname, "examples");
const port = { number: 8080, name: "http", protocol: "HTTP" } as const;
const jwksOf: JwksOf = (uri) => {
  if (uri.includes("pending")) return { state: "pending", error: "not fetched yet" };
  if (uri.includes("failed")) return { state: "failed", error: "it answered 503" };
  return { state: "good", keys: UNKNOWABLE_JWKS };
};

/** What this policy adds to a port. */
function translated(input: string): ContributionConfig {
  const policy = parse(input) as AuthenticationPolicy;
  expect(checkSchema(authenticationPolicy.schema, policy.spec, "spec")).toEqual([]);
  expect(errorsOf(authenticationPolicy.validate(policy))).toEqual([]);
  return contributionConfig(translate(policy, port, jwksOf));
}

expectGoldens(TESTDATA, translated);

describe("every translation", () => {
  it("is accepted by a real Envoy, goldens and examples alike", async () => {
    const goldens = [...goldenOutputs(TESTDATA)].map(([name, output]) => [name, judgeable(output as ContributionConfig)] as const);
    const examples = readdirSync(EXAMPLES).map(
      (name) => [`examples/${name}`, judgeable(translated(readFileSync(join(EXAMPLES, name), "utf8")))] as const,
    );
    await expectEnvoyAccepts(new Map([...goldens, ...examples]));
    expect(goldens).toHaveLength(4);
    expect(examples).toHaveLength(3);
  });
});
