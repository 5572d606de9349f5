import type { Kind } from "../core/kind.ts";
import { GATEWAY_API_VERSION } from "../core/route/services.ts";
import { GrpcRouteSpec } from "./schema.ts";
import { validateGrpcRoute } from "./validate.ts";

/** The Gateway API's kind, with a Service as parent. It is not Seawall's own: its CRD comes from the Gateway API. */
export const grpcRoute: Kind<typeof GrpcRouteSpec> = {
  kind: "GRPCRoute",
  apiVersion: GATEWAY_API_VERSION,
  plural: "grpcroutes",
  shortNames: [],
  scope: "Namespaced",
  question: "where does a gRPC call to this service go, and how is it changed on the way",
  security: false,
  schema: GrpcRouteSpec,
  validate: (object) => validateGrpcRoute({ ...object, kind: "GRPCRoute" }),
};

export { reachedPorts, routeStatus } from "./status.ts";
export type { GrpcRoute } from "./schema.ts";
