import { describe, expect, it } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expectEnvoyAccepts } from "../../e2e/support/envoy-validation.ts";
import { expectGoldens, goldenOutputs } from "../../e2e/support/golden.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { RouteSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { checkSchema } from "../core/schema.ts";
import { errorsOf } from "../core/violation.ts";
import { httpRoute } from "./index.ts";
import type { HttpRoute } from "./schema.ts";
import { ORDERS, ordersRoute, readRoutes, shop } from "./testing/shop.ts";
import { translateServicePort } from "./translate.ts";

const TESTDATA = join(import.meta.dirname, "testdata");
const EXAMPLES = join(import.meta.dirname, "examples");

function translated(routes: readonly HttpRoute[]): object[] {
  expect(routes.flatMap((route) => checkSchema(httpRoute.schema, route.spec, "spec"))).toEqual([]);
  expect(routes.flatMap((route) => errorsOf(httpRoute.validate(route)))).toEqual([]);
  const clusterName = (port: typeof ORDERS): string => `outbound/${port.namespace}/${port.service}/${port.port}`;
  return translateServicePort(ORDERS, routes, shop, clusterName).map((route) => envoyJson(RouteSchema, route));
}

expectGoldens(TESTDATA, (input) => translated(readRoutes(input)));

describe("every translation", () => {
  it("is accepted by a real Envoy, goldens and examples alike", async () => {
    const goldens = [...goldenOutputs(TESTDATA)].map(([name, routes]) => [name, { routes: routes as object[] }] as const);
    const examples = readdirSync(EXAMPLES).map((name) => {
      const routes = translated(readRoutes(readFileSync(join(EXAMPLES, name), "utf8")));
      return [`examples/${name}`, { routes }] as const;
    });
    await expectEnvoyAccepts(new Map([...goldens, ...examples]));
    expect(goldens.length).toBeGreaterThan(3);
    expect(examples).toHaveLength(3);
  });

  it("is accepted with the largest expressions that validation lets pass", async () => {
    const largest = [".{950}", "[^/]{950}", "(?i)[^k]{950}", "(?s).{950}", "(?i)(?:[^a]|\\W){450}", "(.{30}){30}", "[^[:alpha:]]{950}"];
    const configs = largest.map((value) => {
      const matches = [{ path: { type: "RegularExpression", value } }] as const;
      return [
        value,
        { routes: translated([ordersRoute([{ matches: [...matches], backendRefs: [{ name: "orders", port: 80 }] }])]) },
      ] as const;
    });
    await expectEnvoyAccepts(new Map(configs));
  });
});
