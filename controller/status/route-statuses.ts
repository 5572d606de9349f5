/** What the status of each route is to say, kept up to date as a collection. */
import { ROUTE_KINDS } from "../../crds/core/route/services.ts";
import type { RouteParentStatus } from "../../crds/core/route/status.ts";
import { type MeshRoute, routeStatusOf } from "../../crds/routes.ts";
import type { Collection } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { SourceEntry } from "../model/source-entry.ts";

export interface RouteReport {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string | undefined;
  readonly generation: number | undefined;
  readonly parents: readonly RouteParentStatus[];
}

/** By `<Kind>/<namespace>/<name>`. */
export function routeReports(
  graph: Graph,
  { routeWorld }: Pick<Mesh, "routeWorld">,
  source: (kind: string) => Collection<string, SourceEntry>,
): Collection<string, RouteReport> {
  const routes = graph.join("status-route-entries", ROUTE_KINDS.map(source));
  return graph.derive("status-routes", routes, (entry, _key, context): RouteReport | undefined => {
    // Of a route that does not hold the API server has checked the schema, so its parents can be read.
    const route = (entry.state === "valid" ? entry.object : entry.partial) as Partial<MeshRoute> | undefined;
    if (!isRoute(route)) return undefined;
    const { namespace, name, uid, generation } = route.metadata;
    const violations = entry.state === "valid" ? entry.warnings : entry.violations;
    return {
      kind: route.kind,
      namespace,
      name,
      uid,
      generation,
      parents: routeStatusOf(route, violations, routeWorld.knownServices(context)),
    };
  });
}

function isRoute(route: Partial<MeshRoute> | undefined): route is MeshRoute {
  return route?.metadata !== undefined && route.spec !== undefined;
}
