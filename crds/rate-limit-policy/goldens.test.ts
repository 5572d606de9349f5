import { describe, expect, it } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { contributionConfig, type ContributionConfig, judgeable } from "../../e2e/support/contribution-config.ts";
import { expectEnvoyAccepts } from "../../e2e/support/envoy-validation.ts";
import { expectGoldens, goldenOutputs } from "../../e2e/support/golden.ts";
import { checkSchema } from "../core/schema.ts";
import { errorsOf } from "../core/violation.ts";
import { type RateLimitPolicy, rateLimitPolicy, translate } from "./index.ts";

const TESTDATA = join(import.meta.dirname, "testdata");
const EXAMPLES = join(import.meta.dirname, "examples");
const port = { number: 8080, name: "http", protocol: "HTTP" } as const;

interface Translated extends ContributionConfig {
  readonly violations: object;
}

/** What these policies add to a port, and what is said of them there. */
function translated(input: string): Translated {
  const policies = parseAllDocuments(input).map((document) => document.toJS() as RateLimitPolicy);
  for (const policy of policies) {
    expect(checkSchema(rateLimitPolicy.schema, policy.spec, "spec")).toEqual([]);
    expect(errorsOf(rateLimitPolicy.validate(policy))).toEqual([]);
  }
  const { contribution, violations } = translate(policies, port);
  return { ...contributionConfig(contribution), violations: Object.fromEntries(violations) };
}

expectGoldens(TESTDATA, translated);

describe("every translation", () => {
  it("is accepted by a real Envoy, goldens and examples alike", async () => {
    const goldens = [...goldenOutputs(TESTDATA)].map(([name, output]) => [name, judgeable(output as Translated)] as const);
    const examples = readdirSync(EXAMPLES).map((name) => {
      const config = translated(readFileSync(join(EXAMPLES, name), "utf8"));
      expect(config.violations).toEqual({});
      return [`examples/${name}`, judgeable(config)] as const;
    });
    await expectEnvoyAccepts(new Map([...goldens, ...examples]));
    expect(goldens).toHaveLength(4);
    expect(examples).toHaveLength(2);
  });
});
