import { reachedBy } from "../core/route/backend.ts";
import type { BackendReference } from "../core/route/schema.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import { parentStatuses, type RouteParentStatus } from "../core/route/status.ts";
import type { Violation } from "../core/violation.ts";
import { referencesOf } from "../http-route/status.ts";
import { rulesOf } from "./rules.ts";
import type { GrpcRoute } from "./schema.ts";

function references(route: GrpcRoute): readonly BackendReference[] {
  return rulesOf(route).flatMap(({ rule }) => referencesOf(rule));
}

/** The service ports that a caller needs to know for the sake of the route: its backends and mirrors, each once. */
export function reachedPorts(route: GrpcRoute, services: KnownServices): readonly ServicePortAddress[] {
  return reachedBy(route, references(route), services);
}

/** The status of a route, of which `violations` says what validation found. One entry for each parent that is a Service. */
export function routeStatus(route: GrpcRoute, violations: readonly Violation[], services: KnownServices): readonly RouteParentStatus[] {
  return parentStatuses(route, () => references(route), violations, services);
}
