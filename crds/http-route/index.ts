import type { Kind } from "../core/kind.ts";
import { GATEWAY_API_VERSION } from "../core/route/services.ts";
import { HttpRouteSpec } from "./schema.ts";
import { validateHttpRoute } from "./validate.ts";

/** The Gateway API's kind, with a Service as parent. It is not Seawall's own: its CRD comes from the Gateway API. */
export const httpRoute: Kind<typeof HttpRouteSpec> = {
  kind: "HTTPRoute",
  apiVersion: GATEWAY_API_VERSION,
  plural: "httproutes",
  shortNames: [],
  scope: "Namespaced",
  question: "where does a request to this service go, and how is it changed on the way",
  security: false,
  schema: HttpRouteSpec,
  validate: (object) => validateHttpRoute({ ...object, kind: "HTTPRoute" }),
};

export { overriddenMatches } from "./precedence.ts";
export { reachedPorts, routeStatus } from "./status.ts";
export type { HttpRoute, HttpRouteSpec } from "./schema.ts";
