import { routesForCaller } from "../core/route/attachment.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import { evaluateRanked, type RouteDecision, type RouteRequest } from "../http-route/evaluate.ts";
import { rank } from "./rules.ts";
import type { GrpcRoute } from "./schema.ts";

/** What a service's GRPCRoutes do with a call. `no-rule` is UNIMPLEMENTED, a dangling share UNAVAILABLE. */
export function evaluateGrpcPort(
  port: ServicePortAddress,
  routes: readonly GrpcRoute[],
  services: KnownServices,
  request: RouteRequest,
  callerNamespace: string = port.namespace,
): RouteDecision {
  const applying = routesForCaller(port, routes, services, callerNamespace);
  return evaluateRanked(rank(applying), applying.length > 0, port, services, request);
}
