import { reachedBy } from "../core/route/backend.ts";
import type { BackendReference } from "../core/route/schema.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import { parentStatuses, type RouteParentStatus } from "../core/route/status.ts";
import type { Violation } from "../core/violation.ts";
import { type RouteRule, rulesOf } from "./rules.ts";
import type { HttpRoute } from "./schema.ts";

/** Every reference of a rule: where it forwards and where it mirrors. */
export function referencesOf(rule: Pick<RouteRule, "backendRefs" | "filters">): readonly BackendReference[] {
  return [...rule.backendRefs, ...rule.filters.flatMap((filter) => filter.requestMirror?.backendRef ?? [])];
}

/** The service ports that a caller needs to know for the sake of the route: its backends and mirrors, each once. */
export function reachedPorts(route: HttpRoute, services: KnownServices): readonly ServicePortAddress[] {
  return reachedBy(route, rulesOf(route).flatMap(referencesOf), services);
}

/** The status of a route, of which `violations` says what validation found. One entry for each parent that is a Service. */
export function routeStatus(route: HttpRoute, violations: readonly Violation[], services: KnownServices): readonly RouteParentStatus[] {
  return parentStatuses(route, () => rulesOf(route).flatMap(referencesOf), violations, services);
}
