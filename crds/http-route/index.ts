import type { Kind } from "../core/kind.ts";
import { HttpRouteSpec } from "./schema.ts";
import { validateHttpRoute } from "./validate.ts";

/** The Gateway API's kind, with a Service as parent. It is not Seawall's own: its CRD comes from the Gateway API. */
export const httpRoute: Kind<typeof HttpRouteSpec> = {
  kind: "HTTPRoute",
  apiVersion: "gateway.networking.k8s.io/v1",
  plural: "httproutes",
  shortNames: [],
  scope: "Namespaced",
  question: "where does a request to this service go, and how is it changed on the way",
  security: false,
  schema: HttpRouteSpec,
  validate: validateHttpRoute,
};

export { attachedPorts, type KnownServicePort, type KnownServices, reachedPorts, routesOf, routeStatus } from "./attachment.ts";
export { overriddenMatches } from "./precedence.ts";
export type { ServicePortAddress } from "./rules.ts";
export type { HttpRoute, HttpRouteSpec } from "./schema.ts";
