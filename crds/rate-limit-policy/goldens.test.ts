import { describe, expect, it } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { inboundRoutes } from "../../controller/mesh/inbound.ts";
import { expectEnvoyAccepts } from "../../e2e/support/envoy-validation.ts";
import { expectGoldens, goldenOutputs } from "../../e2e/support/golden.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { checkSchema } from "../core/schema.ts";
import { errorsOf } from "../core/violation.ts";
import { type RateLimitPolicy, rateLimitPolicy, translate } from "./index.ts";

const TESTDATA = join(import.meta.dirname, "testdata");
const EXAMPLES = join(import.meta.dirname, "examples");
const port = { number: 8080, name: "http", protocol: "HTTP" } as const;

interface Translated {
  readonly routes: object;
  readonly violations: object;
}

/** The routes of a port with these policies, and what is said of the policies there. */
function translated(input: string): Translated {
  const policies = parseAllDocuments(input).map((document) => document.toJS() as RateLimitPolicy);
  for (const policy of policies) {
    expect(checkSchema(rateLimitPolicy.schema, policy.spec, "spec")).toEqual([]);
    expect(errorsOf(rateLimitPolicy.validate(policy))).toEqual([]);
  }
  const { contribution, violations } = translate(policies, port);
  const access = {
    namespace: "shop",
    workload: "orders",
    rules: contribution.rbac ?? [],
    defaultAccess: "Allow",
    closed: false,
    closedInAudit: false,
  } as const;
  const routes = inboundRoutes({ port: port.number, access, contributions: [contribution] });
  return { routes: envoyJson(RouteConfigurationSchema, routes), violations: Object.fromEntries(violations) };
}

expectGoldens(TESTDATA, translated);

describe("every translation", () => {
  it("is accepted by a real Envoy, goldens and examples alike", async () => {
    const goldens = [...goldenOutputs(TESTDATA)].map(
      ([name, output]) => [name, { routeConfigurations: [(output as Translated).routes] }] as const,
    );
    const examples = readdirSync(EXAMPLES).map((name) => {
      const { routes, violations } = translated(readFileSync(join(EXAMPLES, name), "utf8"));
      expect(violations).toEqual({});
      return [`examples/${name}`, { routeConfigurations: [routes] }] as const;
    });
    await expectEnvoyAccepts(new Map([...goldens, ...examples]));
    expect(goldens).toHaveLength(4);
    expect(examples).toHaveLength(2);
  });
});
