import { describe, expect, it } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { inboundRoutes, jwtExtension } from "../../controller/mesh/inbound.ts";
import { type EnvoyConfig, expectEnvoyAccepts } from "../../e2e/support/envoy-validation.ts";
import { expectGoldens, goldenOutputs } from "../../e2e/support/golden.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { TypedExtensionConfigSchema } from "../../xds-server/gen/envoy/config/core/v3/extension_pb.js";
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
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

/** The filter and the routes, as a workload with this one policy has them. */
function translated(input: string): { jwt: object; routes: object } {
  const policy = parse(input) as AuthenticationPolicy;
  expect(checkSchema(authenticationPolicy.schema, policy.spec, "spec")).toEqual([]);
  expect(errorsOf(authenticationPolicy.validate(policy))).toEqual([]);
  const contribution = translate(policy, port, jwksOf);
  const access = { namespace: "shop", workload: "orders", rules: [], defaultAccess: "Allow", closed: false, closedInAudit: false } as const;
  const routes = inboundRoutes({ port: port.number, access, contributions: [contribution] });
  return {
    jwt: envoyJson(TypedExtensionConfigSchema, jwtExtension([contribution])),
    routes: envoyJson(RouteConfigurationSchema, routes),
  };
}

expectGoldens(TESTDATA, translated);

describe("every translation", () => {
  it("is accepted by a real Envoy, goldens and examples alike", async () => {
    const configOf = ({ jwt, routes }: { jwt: object; routes: object }): EnvoyConfig => ({
      httpFilters: [jwt],
      routeConfigurations: [routes],
    });
    const goldens = [...goldenOutputs(TESTDATA)].map(
      ([name, output]) => [name, configOf(output as ReturnType<typeof translated>)] as const,
    );
    const examples = readdirSync(EXAMPLES).map(
      (name) => [`examples/${name}`, configOf(translated(readFileSync(join(EXAMPLES, name), "utf8")))] as const,
    );
    await expectEnvoyAccepts(new Map([...goldens, ...examples]));
    expect(goldens).toHaveLength(4);
    expect(examples).toHaveLength(3);
  });
});
