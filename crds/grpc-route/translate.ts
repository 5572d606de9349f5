import type { Route } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { routesOf } from "../core/route/attachment.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import { type ClusterName, translateRanked } from "../http-route/translate.ts";
import { rank } from "./rules.ts";
import type { GrpcRoute } from "./schema.ts";

/**
 * Routes in the order in which Envoy must try them; empty when no route applies. What no rule matches is answered with 404,
 * which Envoy tells a gRPC caller as UNIMPLEMENTED.
 */
export function translateGrpcPort(
  port: ServicePortAddress,
  routes: readonly GrpcRoute[],
  services: KnownServices,
  clusterName: ClusterName,
  consumer?: string,
): Route[] {
  const applying = routesOf(port, routes, services, consumer);
  return applying.length === 0 ? [] : translateRanked(rank(applying), "GRPCRoutes", port, services, clusterName);
}
