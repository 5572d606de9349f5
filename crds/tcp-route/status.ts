import { reachedBy } from "../core/route/backend.ts";
import type { AnyRoute, ConnectionBackend } from "../core/route/schema.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import { parentStatuses, type RouteParentStatus } from "../core/route/status.ts";
import type { Violation } from "../core/violation.ts";

interface ConnectionRoute extends AnyRoute {
  readonly spec: AnyRoute["spec"] & { readonly rules?: readonly { readonly backendRefs?: readonly ConnectionBackend[] }[] };
}

function referencesOf(route: ConnectionRoute): readonly ConnectionBackend[] {
  return (route.spec.rules ?? []).flatMap(({ backendRefs = [] }) => backendRefs);
}

/** The service ports that a caller needs to know for the sake of the route, each once. */
export function reachedPorts(route: ConnectionRoute, services: KnownServices): readonly ServicePortAddress[] {
  return reachedBy(route, referencesOf(route), services);
}

/** The status of a route, of which `violations` says what validation found. One entry for each parent that is a Service. */
export function routeStatus(
  route: ConnectionRoute,
  violations: readonly Violation[],
  services: KnownServices,
): readonly RouteParentStatus[] {
  return parentStatuses(route, () => referencesOf(route), violations, services);
}
