import type { Kind } from "../core/kind.ts";
import { GATEWAY_API_VERSION } from "../core/route/services.ts";
import { TlsRouteSpec } from "./schema.ts";
import { validateTlsRoute } from "./validate.ts";

/** The Gateway API's kind, with a Service as parent. It is not Seawall's own: its CRD comes from the Gateway API. */
export const tlsRoute: Kind<typeof TlsRouteSpec> = {
  kind: "TLSRoute",
  apiVersion: GATEWAY_API_VERSION,
  plural: "tlsroutes",
  shortNames: [],
  scope: "Namespaced",
  question: "where does a TLS connection to this service go, by the name that it asks for",
  security: false,
  schema: TlsRouteSpec,
  validate: (object) => validateTlsRoute({ ...object, kind: "TLSRoute" }),
};

export { reachedPorts, routeStatus } from "../tcp-route/index.ts";
export type { TlsRoute } from "./schema.ts";
