/**
 * The outbound side as collections, as far as all data planes agree: per service port the cluster and the endpoints that
 * all callers share, per identity what it may see.
 */
import { loadAssignment } from "../../xds-server/envoy/cluster.ts";
import type { ExpectedPeers } from "../../xds-server/envoy/tls.ts";
import { ClusterSchema } from "../../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../../xds-server/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import type { EncodedResource, Layer, ResourceId } from "../../xds-server/delta/feed.ts";
import { type Collection, SINGLETON, type SingletonKey, type TransformContext } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { spiffeId } from "../model/identity.ts";
import { outboundName, servicePortKey, type ServicePortRef } from "../model/service.ts";
import type { Inventory } from "./inventory.ts";
import { outboundClusters } from "./outbound.ts";
import { MESH, resource, resourceId, sameResource } from "./resources.ts";
import type { Backend } from "./service-ports.ts";
import { consumerKey, type RouteTables } from "./service-routes.ts";
import type { MeshSettings } from "./settings.ts";
import { visibleServices } from "./visibility.ts";

export interface OutboundResources {
  readonly resources: readonly Collection<ResourceId, EncodedResource>[];
  /** Per identity (`namespace/service account`) the service ports that it may call, sorted. */
  readonly visible: Collection<string, readonly ServicePortRef[]>;
  /** Per identity the shared resources behind what it may call. */
  readonly layers: Collection<string, Layer>;
}

/** The key of the layer that callers of one identity share. */
export function visibleLayer(identity: string): string {
  return `visible/${identity}`;
}

export function outboundResources(
  graph: Graph,
  inventory: Inventory,
  settings: Collection<SingletonKey, MeshSettings>,
  backends: Collection<string, Backend>,
  routes: RouteTables,
): OutboundResources {
  const clusters = graph.deriveMany(
    "clusters",
    backends,
    (backend, _key, context) => {
      const mesh = context.fetch(settings, SINGLETON);
      if (mesh === undefined) return [];
      return outboundClusters(backend, mesh.tls, peersOf(backend, mesh.trustDomain)).map((cluster) =>
        resource(MESH, ClusterSchema, cluster.name, cluster),
      );
    },
    { equal: sameResource },
  );
  const endpoints = graph.deriveMany(
    "endpoints",
    backends,
    (backend) => {
      const name = outboundName(backend.ref);
      return [resource(MESH, ClusterLoadAssignmentSchema, name, loadAssignment(name, backend.endpoints))];
    },
    { equal: sameResource },
  );

  const visible = visibleServices(graph, inventory, backends, routes);

  /** Where the routes that callers of the namespace meet lead to. */
  const routeBackends = (ref: ServicePortRef, namespace: string, context: TransformContext): readonly ServicePortRef[] => {
    const [own, everybodys] = [consumerKey(namespace, ref), servicePortKey(ref)];
    const http = context.fetch(routes.httpConsumer, own) ?? context.fetch(routes.http, everybodys);
    const tcp = context.fetch(routes.tcpConsumer, own) ?? context.fetch(routes.tcp, everybodys);
    return [...(http?.backends ?? []), ...(tcp?.backends ?? [])];
  };

  const layers = graph.deriveMany("visible-layers", visible, (refs, identity, context): Iterable<readonly [string, Layer]> => {
    const namespace = identity.split("/", 1)[0] ?? "";
    const members = new Set<ResourceId>();
    const add = (name: string): void => {
      members.add(resourceId(MESH, ClusterSchema, name));
      members.add(resourceId(MESH, ClusterLoadAssignmentSchema, name));
    };
    for (const ref of refs) {
      add(outboundName(ref));
      for (const backend of routeBackends(ref, namespace, context)) add(outboundName(backend));
    }
    const key = visibleLayer(identity);
    return [[key, { key, resources: members }]];
  });

  return { resources: [clusters, endpoints], visible, layers };
}

/** The identities that may answer for a service. Without any there is nobody to trust: a name that no certificate has. */
export function peersOf(backend: Backend, trustDomain: string): ExpectedPeers {
  if (backend.serviceAccounts.length === 0) return [`spiffe://${trustDomain}/no-endpoints`];
  return backend.serviceAccounts.map((account) => {
    const [namespace = "", serviceAccount = ""] = account.split("/");
    return spiffeId({ trustDomain, namespace, serviceAccount });
  });
}
