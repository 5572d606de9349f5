/**
 * The data plane of a cluster: pods whose traffic is redirected to their sidecars (docs/decisions/012). A pod has nothing
 * of its own: its listeners are its workload's, what it may call is its identity's, and the listener, routes and
 * extensions of a destination are everybody's.
 */
import { LIMIT_HEADERS_LUA } from "../../crds/rate-limit-policy/index.ts";
import { internalCluster, loadAssignment, originalDestinationCluster } from "../../xds-server/envoy/cluster.ts";
import { redirectedInboundListener } from "../../xds-server/envoy/redirected-listener.ts";
import { ClusterSchema } from "../../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../../xds-server/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { TypedExtensionConfigSchema } from "../../xds-server/gen/envoy/config/core/v3/extension_pb.js";
import { ListenerSchema } from "../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import type { EncodedResource, Layer, ResourceId, Subscriber } from "../../xds-server/delta/feed.ts";
import { type Collection, SINGLETON, type TransformContext } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { outboundName, servicePortKey, type ServicePortRef } from "../model/service.ts";
import { UNDECLARED_PORTS, type Workload } from "../model/workload.ts";
import { byteFilters, portChains } from "./inbound-listener.ts";
import { h2cName, inboundName } from "./inbound.ts";
import type { MeshParts, PodConfigurations } from "./mesh-parts.ts";
import { peersOf, visibleLayer } from "./outbound-resources.ts";
import { bytesClusterName, isTunnelled, untunnelledCluster, untunnelledName } from "./outbound.ts";
import { directDestinations } from "./redirected-direct.ts";
import {
  chainExtension,
  type ChainName,
  chainProxy,
  NOT_VISIBLE,
  outboundRedirect,
  PASSTHROUGH,
  plainChains,
  refusalListener,
  refusalRoutes,
  serviceListener,
  serviceRouteConfiguration,
  type TakesTunnels,
  unknownDestination,
  untunnelledShares,
} from "./redirected-outbound.ts";
import { type IdentifiedResource, MESH, resource, resourceId, sameResource, workloadLayer } from "./resources.ts";
import type { ServicePortOf } from "./service-ports.ts";
import { consumerKey, type TcpChain } from "./service-routes.ts";
import { defaultAccess } from "./settings.ts";
import { identityOf } from "./visibility.ts";

export function redirectedPods(graph: Graph, parts: MeshParts): PodConfigurations {
  const { inventory } = parts;
  const ownResources = workloadResources(graph, parts);
  const services = serviceDestinations(graph, parts);
  const direct = directDestinations(graph, parts);

  const workloadLayers = graph.deriveMany("redirected-layers", ownResources, (own, workload): Iterable<readonly [string, Layer]> => {
    const key = redirectedLayer(workload);
    return [[key, { key, resources: new Set([...own.map(([id]) => id), ...SHARED.map(([id]) => id)]) }]];
  });
  const destinationLayers = graph.deriveMany(
    "destination-layers",
    parts.outbound.visible,
    (refs, identity, context): Iterable<readonly [string, Layer]> => {
      const key = destinationLayer(identity);
      const namespace = identity.split("/", 1)[0] ?? "";
      const resources = new Set<ResourceId>();
      for (const ref of refs) {
        const [own, everybodys] = [consumerKey(namespace, ref), servicePortKey(ref)];
        const ids = context.fetch(services.consumerIds, own) ?? context.fetch(services.ids, everybodys) ?? [];
        for (const id of [...ids, ...(context.fetch(direct.ids, everybodys) ?? [])]) resources.add(id);
      }
      return [[key, { key, resources }]];
    },
  );
  const subscribers = graph.derive("subscribers", inventory.workloadOfPod, (workload, key): Subscriber => ({
    key,
    layers: [
      workloadLayer(workload.key),
      redirectedLayer(workload.key),
      visibleLayer(identityOf(workload)),
      destinationLayer(identityOf(workload)),
    ],
  }));
  const shared = graph.deriveMany("redirected-shared", parts.settings, () => SHARED, { equal: sameResource });
  return {
    resources: [
      graph.deriveMany("redirected-resources", ownResources, (own) => own, { equal: sameResource }),
      ...services.resources,
      ...direct.resources,
      shared,
    ],
    layers: graph.join("pod-layers", [workloadLayers, destinationLayers]),
    subscribers,
  };
}

function redirectedLayer(workload: string): string {
  return `redirected/${workload}`;
}

function destinationLayer(identity: string): string {
  return `destinations/${identity}`;
}

/** What every redirected pod has. */
const SHARED: readonly IdentifiedResource[] = [
  originalDestinationCluster({ name: PASSTHROUGH, protocol: "tcp" }),
  internalCluster(NOT_VISIBLE, NOT_VISIBLE),
].map((cluster) => resource(MESH, ClusterSchema, cluster.name, cluster));

/** Per workload: its two bound listeners, the clusters of its application, and what becomes of unknown destinations. */
function workloadResources(graph: Graph, { inventory, settings, inbound }: MeshParts): Collection<string, readonly IdentifiedResource[]> {
  return graph.derive("redirected-workloads", inventory.workloads, (workload, key, context): readonly IdentifiedResource[] | undefined => {
    const mesh = context.fetch(settings, SINGLETON);
    const tls = context.fetch(inbound.tls, key);
    if (mesh === undefined || tls === undefined) return undefined;
    const ports = workload.ports.flatMap((port, index) => {
      const portTls = tls[index];
      if (portTls === undefined) return [];
      const { trustDomain } = mesh;
      return [{ number: port.number, ...portChains({ workload, port, trustDomain, tls: portTls, limitHeadersLua: LIMIT_HEADERS_LUA }) }];
    });
    const listeners = [
      redirectedInboundListener({ name: "inbound", ipv6: workload.ipv6 === true, ports, undeclared: byteFilters(UNDECLARED_PORTS.number) }),
      outboundRedirect(workload),
      refusalListener(workload),
    ];
    const routes = refusalRoutes(workload);
    const unknown = unknownDestination(workload, defaultAccess(mesh, workload.namespace));
    return [
      ...listeners.map((listener) => resource(key, ListenerSchema, listener.name, listener)),
      ...applicationClusters(workload).map((cluster) => resource(key, ClusterSchema, cluster.name, cluster)),
      resource(key, RouteConfigurationSchema, routes.name, routes),
      resource(key, TypedExtensionConfigSchema, unknown.name, unknown),
    ];
  });
}

/** The application is found where the caller dialled: the clusters hold no address, so that replicas share them. */
function applicationClusters({ ports }: Workload): readonly ReturnType<typeof originalDestinationCluster>[] {
  const toApplication = true;
  return [...ports, UNDECLARED_PORTS].flatMap(({ number, protocol, detected }) => [
    originalDestinationCluster({ name: inboundName(number), protocol, toApplication }),
    ...(detected === true ? [originalDestinationCluster({ name: h2cName(number), protocol: "http2", toApplication })] : []),
  ]);
}

interface Destinations {
  readonly resources: readonly Collection<ResourceId, EncodedResource>[];
  /** By service port key: what a caller of the port needs. */
  readonly ids: Collection<string, readonly ResourceId[]>;
}

interface ServiceDestinations extends Destinations {
  /** By {@link consumerKey}: the same for the callers of a namespace that has routes of its own for the port. */
  readonly consumerIds: Collection<string, readonly ResourceId[]>;
}

/** Per service port: the listener on the service's addresses, and the routes and extensions that it names. */
function serviceDestinations(graph: Graph, { settings, ports, backends, routes }: MeshParts): ServiceDestinations {
  /** By the name of a cluster for bytes: whether it takes tunnels. Endpoints come and go, and seldom change this. */
  const tunnels = graph.deriveMany("tunnels", backends, (backend): Iterable<readonly [string, boolean]> =>
    backend.traffic === "requests" ? [] : [[bytesClusterName(backend.ref, backend.traffic), isTunnelled(backend)]],
  );
  const untunnelledOf = (
    { chains }: { readonly chains: readonly TcpChain[] },
    _key: string,
    context: TransformContext,
  ): readonly string[] => untunnelledShares(chains, (cluster) => context.fetch(tunnels, cluster));
  const untunnelled = graph.derive("untunnelled-shares", routes.tcp, untunnelledOf);
  const consumerUntunnelled = graph.derive("consumer-untunnelled-shares", routes.tcpConsumer, untunnelledOf);
  const wanted = [
    graph.index("untunnelled-clusters-wanted", untunnelled, (clusters) => clusters),
    graph.index("consumer-untunnelled-clusters-wanted", consumerUntunnelled, (clusters) => clusters),
  ];
  const untunnelledClusters = graph.deriveMany(
    "untunnelled-clusters",
    backends,
    (backend, _key, context): readonly IdentifiedResource[] => {
      const mesh = context.fetch(settings, SINGLETON);
      const cluster = bytesClusterName(backend.ref, backend.traffic);
      if (mesh === undefined || !wanted.some((index) => context.fetchIndex(index, cluster).length > 0)) return [];
      const name = untunnelledName(cluster);
      return [
        resource(MESH, ClusterSchema, name, untunnelledCluster(name, mesh.tls, peersOf(backend, mesh.trustDomain))),
        resource(MESH, ClusterLoadAssignmentSchema, name, loadAssignment(name, backend.endpoints)),
      ];
    },
    { equal: sameResource },
  );

  const names = (table: { readonly chains: readonly TcpChain[] }): readonly ChainName[] =>
    table.chains.map(({ name, serverNames }) => ({ name, serverNames }));
  const chainNames = graph.derive("chain-names", routes.tcp, names);
  const consumerChainNames = graph.derive("consumer-chain-names", routes.tcpConsumer, names);

  const listenerOf = (owner: string, port: ServicePortOf, chains: readonly ChainName[]): readonly IdentifiedResource[] =>
    port.service.addresses.length === 0 ? [] : [resource(owner, ListenerSchema, outboundName(port.ref), serviceListener(port, chains))];
  const proxiesOf = (
    owner: string,
    ref: ServicePortRef,
    chains: readonly TcpChain[],
    takesTunnels: TakesTunnels,
  ): readonly IdentifiedResource[] =>
    chains.map((chain) => {
      const proxy = chainProxy(ref, chain, takesTunnels);
      return resource(owner, TypedExtensionConfigSchema, proxy.name, proxy);
    });

  const listeners = graph.deriveMany(
    "service-listeners",
    ports,
    (port, key, context) => listenerOf(MESH, port, context.fetch(chainNames, key) ?? plainChains(port.ref, port.traffic)),
    { equal: sameResource },
  );
  const proxies = graph.deriveMany(
    "service-proxies",
    ports,
    (port, key, context) => {
      if (port.traffic === "requests") return [];
      const chains = context.fetch(routes.tcp, key)?.chains ?? plainChains(port.ref, port.traffic);
      return proxiesOf(MESH, port.ref, chains, (cluster) => context.fetch(tunnels, cluster));
    },
    { equal: sameResource },
  );
  const tables = graph.deriveMany(
    "service-route-tables",
    routes.http,
    ({ ref, routes: own }) => {
      const table = serviceRouteConfiguration(outboundName(ref), own);
      return [resource(MESH, RouteConfigurationSchema, table.name, table)];
    },
    { equal: sameResource },
  );
  const consumerTables = graph.deriveMany(
    "consumer-route-tables",
    routes.httpConsumer,
    ({ ref, routes: own }, key) => {
      const table = serviceRouteConfiguration(outboundName(ref), own);
      return [resource(consumer(key), RouteConfigurationSchema, table.name, table)];
    },
    { equal: sameResource },
  );
  const consumerChains = graph.deriveMany(
    "consumer-chains",
    routes.tcpConsumer,
    ({ ref, chains }, key, context) => {
      const port = context.fetch(ports, servicePortKey(ref));
      const owner = consumer(key);
      if (port === undefined) return [];
      return [...listenerOf(owner, port, chains), ...proxiesOf(owner, ref, chains, (cluster) => context.fetch(tunnels, cluster))];
    },
    { equal: sameResource },
  );

  const idsOf = (
    port: ServicePortOf,
    chains: readonly ChainName[],
    owners: { readonly http: string; readonly tcp: string },
    untunnelledTo: readonly string[] = [],
  ): ResourceId[] => {
    const { ref, service, traffic } = port;
    if (service.addresses.length === 0) return [];
    const name = outboundName(ref);
    return [
      resourceId(owners.tcp, ListenerSchema, name),
      ...(traffic === "bytes" ? [] : [resourceId(owners.http, RouteConfigurationSchema, name)]),
      ...(traffic === "requests"
        ? []
        : chains.map((chain) => resourceId(owners.tcp, TypedExtensionConfigSchema, chainExtension(ref, chain)))),
      ...(traffic === "detected" ? [resourceId(MESH, ClusterSchema, bytesClusterName(ref, traffic))] : []),
      ...untunnelledTo.flatMap((cluster) =>
        [ClusterSchema, ClusterLoadAssignmentSchema].map((schema) => resourceId(MESH, schema, untunnelledName(cluster))),
      ),
    ];
  };
  const ids = graph.derive("service-destinations", ports, (port, key, context): readonly ResourceId[] =>
    idsOf(
      port,
      context.fetch(chainNames, key) ?? plainChains(port.ref, port.traffic),
      { http: MESH, tcp: MESH },
      context.fetch(untunnelled, key),
    ),
  );
  const consumers = graph.join("consumer-ports", [
    graph.derive("http-consumers", routes.httpConsumer, ({ ref }) => ref),
    graph.derive("tcp-consumers", routes.tcpConsumer, ({ ref }) => ref),
  ]);
  const consumerIds = graph.derive("consumer-destinations", consumers, (ref, key, context): readonly ResourceId[] | undefined => {
    const port = context.fetch(ports, servicePortKey(ref));
    if (port === undefined) return undefined;
    const owner = consumer(key);
    const chains = context.fetch(consumerChainNames, key);
    const owners = {
      http: context.fetch(routes.httpConsumer, key) === undefined ? MESH : owner,
      tcp: chains === undefined ? MESH : owner,
    };
    return chains === undefined
      ? idsOf(
          port,
          context.fetch(chainNames, servicePortKey(ref)) ?? plainChains(ref, port.traffic),
          owners,
          context.fetch(untunnelled, servicePortKey(ref)),
        )
      : idsOf(port, chains, owners, context.fetch(consumerUntunnelled, key));
  });
  return { resources: [listeners, proxies, untunnelledClusters, tables, consumerTables, consumerChains], ids, consumerIds };
}

/** The owner of what the callers of one namespace have of a service port; `key` is a {@link consumerKey}. */
function consumer(key: string): string {
  return `consumer/${key}`;
}
