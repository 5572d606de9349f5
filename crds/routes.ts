import type { KnownServices, ServicePortAddress } from "./core/route/services.ts";
import type { RouteParentStatus } from "./core/route/status.ts";
import type { Violation } from "./core/violation.ts";
import * as grpc from "./grpc-route/index.ts";
import * as http from "./http-route/index.ts";
import * as tcp from "./tcp-route/index.ts";
import type { TlsRoute } from "./tls-route/index.ts";

/** A route of one of the kinds that Seawall has. */
export type MeshRoute = http.HttpRoute | grpc.GrpcRoute | tcp.TcpRoute | TlsRoute;

/** The status of a route of any kind; see `routeStatus` of its own. */
export function routeStatusOf(route: MeshRoute, violations: readonly Violation[], services: KnownServices): readonly RouteParentStatus[] {
  switch (route.kind) {
    case "HTTPRoute":
      return http.routeStatus(route, violations, services);
    case "GRPCRoute":
      return grpc.routeStatus(route, violations, services);
    case "TCPRoute":
    case "TLSRoute":
      return tcp.routeStatus(route, violations, services);
  }
}

/** The service ports that a caller needs to know for the sake of the route, each once. */
export function reachedPortsOf(route: MeshRoute, services: KnownServices): readonly ServicePortAddress[] {
  switch (route.kind) {
    case "HTTPRoute":
      return http.reachedPorts(route, services);
    case "GRPCRoute":
      return grpc.reachedPorts(route, services);
    case "TCPRoute":
    case "TLSRoute":
      return tcp.reachedPorts(route, services);
  }
}
