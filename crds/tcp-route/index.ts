import type { Kind } from "../core/kind.ts";
import { GATEWAY_API_VERSION } from "../core/route/services.ts";
import { TcpRouteSpec } from "./schema.ts";
import { validateTcpRoute } from "./validate.ts";

/** The Gateway API's kind, with a Service as parent. It is not Seawall's own: its CRD comes from the Gateway API. */
export const tcpRoute: Kind<typeof TcpRouteSpec> = {
  kind: "TCPRoute",
  apiVersion: GATEWAY_API_VERSION,
  plural: "tcproutes",
  shortNames: [],
  scope: "Namespaced",
  question: "where does a TCP connection to this service go",
  security: false,
  schema: TcpRouteSpec,
  validate: (object) => validateTcpRoute({ ...object, kind: "TCPRoute" }),
};

export { reachedPorts, routeStatus } from "./status.ts";
export type { TcpRoute } from "./schema.ts";
