import { expect, it } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { expectEnvoyAccepts } from "../../e2e/support/envoy-validation.ts";
import { expectGoldens, goldenOutputs } from "../../e2e/support/golden.ts";
import { checkSchema } from "../core/schema.ts";
import { errorsOf } from "../core/violation.ts";
import { clusterName } from "../http-route/testing/routing-envoy.ts";
import { shop } from "../http-route/testing/shop.ts";
import { chainedListener } from "../tcp-route/testing/chained-listener.ts";
import { tcpRoute } from "./index.ts";
import type { TcpRoute } from "./schema.ts";
import { translateTcpPort } from "./translate.ts";

const TESTDATA = join(import.meta.dirname, "testdata");
const EXAMPLES = join(import.meta.dirname, "examples");

function translated(text: string): object {
  const routes = parseAllDocuments(text).map((document) => document.toJS() as TcpRoute);
  expect(routes.flatMap((route) => checkSchema(tcpRoute.schema, route.spec, "spec"))).toEqual([]);
  expect(routes.flatMap((route) => errorsOf(tcpRoute.validate(route)))).toEqual([]);
  return chainedListener(translateTcpPort({ namespace: "shop", service: "database", port: 5432 }, routes, shop, clusterName));
}

expectGoldens(TESTDATA, (input) => translated(input));

it("every translation is accepted by a real Envoy, goldens and examples alike", async () => {
  const goldens = [...goldenOutputs(TESTDATA)].map(([name, listener]) => [name, { listeners: [listener as object] }] as const);
  const examples = readdirSync(EXAMPLES).map(
    (name) => [name, { listeners: [translated(readFileSync(join(EXAMPLES, name), "utf8"))] }] as const,
  );
  await expectEnvoyAccepts(new Map([...goldens, ...examples]));
  expect(examples).toHaveLength(1);
});
