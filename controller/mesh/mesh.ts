/**
 * From objects to what every sidecar sees. Each step is a collection (controller/collections), so an edit redoes only
 * what depends on it:
 *
 *     sources -> inventory (pods form workloads) -----------------+-> inbound listeners
 *             -> policies -> effective policies per workload port +-> inbound routes and extensions
 *                                                                 +-> service backends -> clusters, endpoints
 *     routes ----------------------------------------------------> routes of service ports  |
 *     who may call a backend -> what an identity may see -> layers <-------------------------+
 *     data plane (standalone.ts, redirected.ts) -> listeners, outbound routes, subscribers
 */
import type { JwksState } from "../../crds/authentication-policy/index.ts";
import { TRUST_SECRET } from "../../xds-server/envoy/tls.ts";
import { SecretSchema } from "../../xds-server/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import type { EncodedResource, Layer, ResourceId, Subscriber } from "../../xds-server/delta/feed.ts";
import type { Collection, SingletonKey } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import type { DataPlane } from "../model/data-plane.ts";
import type { SourceEntry } from "../model/source-entry.ts";
import { type Policies, policies, workloadPolicies, type WorkloadPolicies } from "./effective-policies.ts";
import { inboundResources } from "./inbound-resources.ts";
import { type Inventory, inventory } from "./inventory.ts";
import type { MeshParts, PodConfigurations } from "./mesh-parts.ts";
import { type OutboundResources, outboundResources } from "./outbound-resources.ts";
import { redirectedPods } from "./redirected.ts";
import { MESH, resourceId, sameResource, workloadLayer } from "./resources.ts";
import { type Backend, serviceBackends, servicePorts } from "./service-ports.ts";
import { routeWorld, type RouteWorld } from "./route-world.ts";
import { type RouteTables, routeTables } from "./service-routes.ts";
import { type MeshSettings, settings } from "./settings.ts";
import { standalonePods } from "./standalone.ts";

export type { DataPlane } from "../model/data-plane.ts";

export interface MeshInput {
  /** The source collection of a kind. */
  readonly source: (kind: string) => Collection<string, SourceEntry>;
  /** What is known of each remote key set, by URI. */
  readonly jwks: Collection<string, JwksState>;
  /** The trust bundle as Envoy takes it, once the authority is open. */
  readonly trust: Collection<SingletonKey, EncodedResource>;
  readonly dataPlane: DataPlane;
}

export interface Mesh {
  readonly settings: Collection<SingletonKey, MeshSettings>;
  readonly inventory: Inventory;
  readonly policies: Policies;
  readonly workloadPolicies: Collection<string, WorkloadPolicies>;
  readonly backends: Collection<string, Backend>;
  readonly routes: RouteTables;
  readonly routeWorld: RouteWorld;
  readonly outbound: OutboundResources;
  readonly resources: Collection<ResourceId, EncodedResource>;
  readonly layers: Collection<string, Layer>;
  readonly subscribers: Collection<string, Subscriber>;
  /** In standalone mode: the loopback port of every TCP service port. */
  readonly tcpPorts?: Collection<string, number>;
}

/** Builds the graph of the mesh. Nothing is computed before all sources have synced. */
export function buildMesh(graph: Graph, input: MeshInput): Mesh {
  const { source, jwks, trust, dataPlane } = input;
  const mesh = settings(graph, source("MeshConfig"));
  const filed = policies(graph, source);
  const known = inventory(graph, source, filed.labelKeys, dataPlane);
  const effective = workloadPolicies(graph, known, mesh, filed, dataPlane);
  const ports = servicePorts(graph, known.services, dataPlane);
  const backends = serviceBackends(graph, known, ports, source("EndpointSlice"), effective);
  const world = routeWorld(graph, source, known.services);
  const routes = routeTables(graph, world, known.services, ports);

  const inbound = inboundResources(graph, mesh, effective, jwks);
  const outbound = outboundResources(graph, known, mesh, backends, routes);
  const parts: MeshParts = { settings: mesh, inventory: known, ports, backends, routes, inbound, outbound };
  const pods: PodConfigurations & Pick<Mesh, "tcpPorts"> =
    dataPlane.kind === "standalone" ? standalonePods(graph, parts) : redirectedPods(graph, parts);
  const trustResources = graph.deriveMany(
    "trust-resources",
    trust,
    (bundle): Iterable<readonly [ResourceId, EncodedResource]> => [[TRUST_ID, bundle]],
    {
      equal: sameResource,
    },
  );

  const workloadLayers = graph.deriveMany("workload-layers", inbound.ids, (ids, key): Iterable<readonly [string, Layer]> => {
    const layer = workloadLayer(key);
    return [[layer, { key: layer, resources: new Set([...ids, TRUST_ID]) }]];
  });
  return {
    settings: mesh,
    inventory: known,
    policies: filed,
    workloadPolicies: effective,
    backends,
    routes,
    routeWorld: world,
    outbound,
    resources: graph.join("resources", [inbound.resources, ...outbound.resources, ...pods.resources, trustResources], {
      equal: sameResource,
    }),
    layers: graph.join("layers", [workloadLayers, outbound.layers, pods.layers]),
    subscribers: pods.subscribers,
    ...(pods.tcpPorts === undefined ? {} : { tcpPorts: pods.tcpPorts }),
  };
}

const TRUST_ID = resourceId(MESH, SecretSchema, TRUST_SECRET);
