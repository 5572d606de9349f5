import { expect, it } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { expectEnvoyAccepts } from "../../e2e/support/envoy-validation.ts";
import { expectGoldens, goldenOutputs } from "../../e2e/support/golden.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { RouteSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { checkSchema } from "../core/schema.ts";
import { errorsOf } from "../core/violation.ts";
import { clusterName } from "../http-route/testing/routing-envoy.ts";
import { ORDERS, shop } from "../http-route/testing/shop.ts";
import { grpcRoute } from "./index.ts";
import type { GrpcRoute } from "./schema.ts";
import { translateGrpcPort } from "./translate.ts";

const TESTDATA = join(import.meta.dirname, "testdata");
const EXAMPLES = join(import.meta.dirname, "examples");

function translated(text: string): object[] {
  const routes = parseAllDocuments(text).map((document) => document.toJS() as GrpcRoute);
  expect(routes.flatMap((route) => checkSchema(grpcRoute.schema, route.spec, "spec"))).toEqual([]);
  expect(routes.flatMap((route) => errorsOf(grpcRoute.validate(route)))).toEqual([]);
  return translateGrpcPort(ORDERS, routes, shop, clusterName).map((route) => envoyJson(RouteSchema, route));
}

expectGoldens(TESTDATA, (input) => translated(input));

it("every translation is accepted by a real Envoy, goldens and examples alike", async () => {
  const goldens = [...goldenOutputs(TESTDATA)].map(([name, routes]) => [name, { routes: routes as object[] }] as const);
  const examples = readdirSync(EXAMPLES).map((name) => [name, { routes: translated(readFileSync(join(EXAMPLES, name), "utf8")) }] as const);
  await expectEnvoyAccepts(new Map([...goldens, ...examples]));
  expect(examples).toHaveLength(1);
});
