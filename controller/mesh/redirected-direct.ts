/**
 * Headless services: their name stands for their pods' addresses, and callers dial those. Every address has a listener of
 * its own, so that a pod that comes or goes leaves the connections of the others alone; all lead to the dialled address,
 * over mesh mTLS where it has a sidecar.
 */
import { originalDestinationCluster, type ServiceEndpoint } from "../../xds-server/envoy/cluster.ts";
import { MESH_ALPN, MESH_TUNNEL_ALPN, upstreamTls } from "../../xds-server/envoy/tls.ts";
import type { Cluster } from "../../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterSchema } from "../../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ListenerSchema } from "../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import type { EncodedResource, ResourceId } from "../../xds-server/delta/feed.ts";
import { type Collection, SINGLETON } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { servicePortKey } from "../model/service.ts";
import type { MeshParts } from "./mesh-parts.ts";
import { peersOf } from "./outbound-resources.ts";
import { directBytesName, directListener, directListenerName, directName, directRoutes } from "./redirected-outbound.ts";
import { MESH, resource, resourceId, sameResource } from "./resources.ts";
import type { Backend } from "./service-ports.ts";
import type { MeshSettings } from "./settings.ts";

export interface DirectDestinations {
  readonly resources: readonly Collection<ResourceId, EncodedResource>[];
  /** By service port key: what a caller of the port's pods needs. */
  readonly ids: Collection<string, readonly ResourceId[]>;
}

/** One address of a headless service. */
interface DirectEndpoint {
  readonly backend: Pick<Backend, "ref" | "traffic">;
  readonly endpoint: ServiceEndpoint;
}

export function directDestinations(graph: Graph, { settings, backends }: MeshParts): DirectDestinations {
  const headless = graph.derive("headless-backends", backends, (backend) => (backend.headless ? backend : undefined));
  const endpoints = graph.deriveMany(
    "direct-endpoints",
    headless,
    ({ ref, traffic, endpoints: own }): Iterable<readonly [string, DirectEndpoint]> =>
      own.map((endpoint) => [`${servicePortKey(ref)}|${directListenerName(endpoint)}`, { backend: { ref, traffic }, endpoint }]),
  );
  // A pod may stand behind several headless services, and an address has one listener: that of the first by name.
  const byAddress = graph.index("direct-endpoints-by-address", endpoints, ({ endpoint }) => [directListenerName(endpoint)]);
  const chosen = graph.derive("direct-addresses", graph.groups("direct-address-groups", byAddress), (members) => members[0]);

  const listeners = graph.deriveMany(
    "direct-listeners",
    chosen,
    ({ backend, endpoint }) => [resource(MESH, ListenerSchema, directListenerName(endpoint), directListener(backend, endpoint))],
    { equal: sameResource },
  );
  const clusters = graph.deriveMany(
    "direct-clusters",
    headless,
    (backend, _key, context) => {
      const mesh = context.fetch(settings, SINGLETON);
      return mesh === undefined ? [] : directClusters(backend, mesh).map((cluster) => resource(MESH, ClusterSchema, cluster.name, cluster));
    },
    { equal: sameResource },
  );
  const routes = graph.deriveMany(
    "direct-routes",
    headless,
    ({ ref, traffic }) =>
      traffic === "bytes"
        ? []
        : WITH_AND_WITHOUT_SIDECAR.map((mesh) => {
            const table = directRoutes(directName(ref, mesh));
            return resource(MESH, RouteConfigurationSchema, table.name, table);
          }),
    { equal: sameResource },
  );
  const ids = graph.derive("direct-destinations", headless, (backend, _key, context): readonly ResourceId[] => {
    const found = backend.endpoints.flatMap((endpoint) => {
      const name = directListenerName(endpoint);
      const leading = context.fetch(chosen, name);
      if (leading === undefined) return [];
      const { ref, traffic } = leading.backend;
      const { mesh } = leading.endpoint;
      return [
        resourceId(MESH, ListenerSchema, name),
        resourceId(MESH, ClusterSchema, directName(ref, mesh)),
        ...(traffic === "bytes" ? [] : [resourceId(MESH, RouteConfigurationSchema, directName(ref, mesh))]),
        ...(traffic === "detected" ? [resourceId(MESH, ClusterSchema, directBytesName(ref, mesh, traffic))] : []),
      ];
    });
    return [...new Set(found)].sort();
  });
  return { resources: [listeners, clusters, routes], ids };
}

const WITH_AND_WITHOUT_SIDECAR = [true, false] as const;

/** Towards pods with a sidecar and to those without, for requests and for bytes as the port may need. */
function directClusters(backend: Backend, settings: MeshSettings): readonly Cluster[] {
  const { ref, traffic, protocol } = backend;
  const tls = (...alpn: string[]): ReturnType<typeof upstreamTls> =>
    upstreamTls(settings.tls, peersOf(backend, settings.trustDomain), alpn);
  const requests = (): Cluster[] => [
    originalDestinationCluster({ name: directName(ref, true), protocol: "http2", tls: tls(MESH_ALPN, "h2") }),
    originalDestinationCluster({ name: directName(ref, false), protocol: traffic === "detected" ? "as-called" : protocol }),
  ];
  const bytes = (): Cluster[] => [
    originalDestinationCluster({ name: directBytesName(ref, true, traffic), protocol: "http2", tls: tls(MESH_TUNNEL_ALPN, "h2") }),
    originalDestinationCluster({ name: directBytesName(ref, false, traffic), protocol: "tcp" }),
  ];
  switch (traffic) {
    case "requests":
      return requests();
    case "bytes":
      return bytes();
    case "detected":
      return [...requests(), ...bytes()];
  }
}
