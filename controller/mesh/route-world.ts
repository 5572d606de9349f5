/** The routes of the mesh by what they are for, and what they can know of their surroundings. */
import { portsOfParent } from "../../crds/core/route/attachment.ts";
import type { KnownServices, RouteKind, ServicePortAddress } from "../../crds/core/route/services.ts";
import { isSamePort, ROUTE_KINDS } from "../../crds/core/route/services.ts";
import { permitsReference, type ReferenceGrant } from "../../crds/reference-grant/index.ts";
import type { MeshRoute } from "../../crds/routes.ts";
import type { Collection, Index, TransformContext } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { policyProtocol } from "../model/protocol.ts";
import type { Service } from "../model/service.ts";
import type { SourceEntry } from "../model/source-entry.ts";

/** How something is looked up: by a transform, which is run again when it changes, or once. */
export type RouteLookup = Pick<TransformContext, "fetch" | "fetchIndex">;

export interface RouteWorld {
  readonly routes: Collection<string, MeshRoute>;
  /** By `namespace/name` of the Service that they name as parent. */
  readonly byParent: Index<string, string, MeshRoute>;
  /** What routes know of their surroundings. Without a lookup: as of the last tick. */
  knownServices(lookup?: RouteLookup): KnownServices;
}

export function routeWorld(
  graph: Graph,
  source: (kind: string) => Collection<string, SourceEntry>,
  services: Collection<string, Service>,
): RouteWorld {
  const all = graph.join("route-entries", ROUTE_KINDS.map(source));
  // A route that does not hold keeps its last good state: it steers requests, it permits none.
  const routes = graph.derive("routes", all, (entry) => (entry.state === "valid" ? entry.object : entry.lastGood) as MeshRoute | undefined);
  const byParent = graph.index("routes-by-parent", routes, (route) =>
    (route.spec.parentRefs ?? []).map((parent) => `${parent.namespace ?? route.metadata.namespace ?? "default"}/${parent.name}`),
  );
  // A grant that does not hold grants nothing: what it used to grant might be what it was changed to take away.
  const grants = graph.derive("reference-grants", source("ReferenceGrant"), (entry) =>
    entry.state === "valid" ? (entry.object as ReferenceGrant) : undefined,
  );
  const grantsByNamespace = graph.index("reference-grants-by-namespace", grants, ({ metadata }) => [metadata.namespace ?? "default"]);

  const knownServices = (lookup: RouteLookup = AS_OF_THE_LAST_TICK): KnownServices => {
    const portsOf: KnownServices["portsOf"] = (namespace, service) =>
      lookup.fetch(services, `${namespace}/${service}`)?.ports.map((port) => ({
        number: port.number,
        name: port.name,
        protocol: policyProtocol(port.protocol),
      }));
    return {
      portsOf,
      permits: (from, to) => lookup.fetchIndex(grantsByNamespace, to.namespace).some((grant) => permitsReference(grant, from, to.service)),
      kindsOn: (port, consumer) => kindsOn(port, consumer, lookup.fetchIndex(byParent, `${port.namespace}/${port.service}`), { portsOf }),
    };
  };
  return { routes, byParent, knownServices };
}

function kindsOn(
  port: ServicePortAddress,
  consumer: string | undefined,
  routes: readonly MeshRoute[],
  services: Pick<KnownServices, "portsOf">,
): ReadonlySet<RouteKind> {
  const names = (route: MeshRoute): boolean =>
    (route.spec.parentRefs ?? []).some((parent) => {
      const found = portsOfParent(route, parent, services);
      return found.kind === "attached" && found.ports.some((named) => isSamePort(named, port) && named.consumer === consumer);
    });
  return new Set(routes.filter(names).map(({ kind }) => kind));
}

const AS_OF_THE_LAST_TICK: RouteLookup = {
  fetch: (collection, key) => collection.get(key),
  fetchIndex: (index, key) => index.values(key),
};
