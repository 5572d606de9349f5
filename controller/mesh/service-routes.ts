/** The HTTP routes of every service port: the Gateway API's where a route attaches, else straight to the service. */
import { attachedPorts, type HttpRoute, type KnownServices, reachedPorts } from "../../crds/http-route/index.ts";
import { translateServicePort } from "../../crds/http-route/translate.ts";
import type { Route } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import type { Collection, TransformContext } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { policyProtocol } from "../model/protocol.ts";
import { outboundName, type Service, servicePortKey, type ServicePortRef } from "../model/service.ts";
import type { SourceEntry } from "../model/source-entry.ts";
import type { ServicePortOf } from "./service-ports.ts";

export interface ServiceRoutes {
  readonly ref: ServicePortRef;
  /** In Envoy's order. */
  readonly routes: readonly Route[];
  /** The service ports that the routes lead to, besides the service's own. */
  readonly backends: readonly ServicePortRef[];
}

/** By service port key; for HTTP ports alone. */
export function serviceRoutes(
  graph: Graph,
  source: Collection<string, SourceEntry>,
  services: Collection<string, Service>,
  ports: Collection<string, ServicePortOf>,
): Collection<string, ServiceRoutes> {
  // A route that does not hold keeps its last good state: it steers requests, it permits none.
  const routes = graph.derive(
    "http-routes",
    source,
    (entry) => (entry.state === "valid" ? entry.object : entry.lastGood) as HttpRoute | undefined,
  );
  const byParent = graph.index("http-routes-by-parent", routes, (route) =>
    (route.spec.parentRefs ?? []).map((parent) => `${route.metadata.namespace ?? "default"}/${parent.name}`),
  );
  return graph.derive("service-routes", ports, ({ ref, port }, _key, context): ServiceRoutes | undefined => {
    if (policyProtocol(port.protocol) === "TCP") return undefined;
    const known = knownServices(services, context);
    const attached = context.fetchIndex(byParent, `${ref.namespace}/${ref.service}`);
    const applying = attached.filter((route) => attachedPorts(route, known).some((port) => servicePortKey(port) === servicePortKey(ref)));
    return {
      ref,
      routes: translateServicePort(ref, attached, known, outboundName),
      backends: applying.flatMap((route) => reachedPorts(route, known)),
    };
  });
}

function knownServices(services: Collection<string, Service>, context: TransformContext): KnownServices {
  return {
    portsOf: (namespace, service) =>
      context.fetch(services, `${namespace}/${service}`)?.ports.map((port) => ({
        number: port.number,
        name: port.name,
        protocol: policyProtocol(port.protocol),
      })),
  };
}
