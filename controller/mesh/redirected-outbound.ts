/**
 * What a pod whose traffic is redirected meets on its way out. A connection is told by where it goes, never by the Host
 * that it claims: a Service by its address, a pod of a headless Service by the pod's. What leads to nothing of these is
 * refused by name, or let through, as the default access of the workload's namespace says.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { tcpProxyOf } from "../../crds/tcp-route/translate.ts";
import type { DefaultAccess } from "../../crds/mesh-config/index.ts";
import { outboundHttpLog, OWN_WORKLOAD, unknownDestinationLog } from "../../xds-server/envoy/access-log.ts";
import { any, packed, typeUrl } from "../../xds-server/envoy/any.ts";
import { FROM_ADS } from "../../xds-server/envoy/discovery.ts";
import { outboundHttpConnectionManager } from "../../xds-server/envoy/http-connection.ts";
import { networkFilter, type NetworkFilters } from "../../xds-server/envoy/listener.ts";
import {
  type DestinationTraffic,
  destinationListener,
  internalHttpListener,
  redirectedOutboundListener,
} from "../../xds-server/envoy/redirected-listener.ts";
import { type TypedExtensionConfig, TypedExtensionConfigSchema } from "../../xds-server/gen/envoy/config/core/v3/extension_pb.js";
import type { Listener } from "../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";
import type { RetryPolicySchema, RouteSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { type RouteConfiguration, RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { TcpProxySchema } from "../../xds-server/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { PreviousHostsPredicateSchema } from "../../xds-server/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";
import { outboundName, type ServicePortRef } from "../model/service.ts";
import type { Workload } from "../model/workload.ts";
import { byteProxy, bytesClusterName, notVisible, notVisibleName, OUTBOUND, untunnelledName, visibleHost } from "./outbound.ts";
import type { ServicePortOf, Traffic } from "./service-ports.ts";
import type { TcpChain } from "./service-routes.ts";

/** The listener that refuses what is not visible, its routes, and the cluster that leads there. */
export const NOT_VISIBLE = "not-visible";

/** The cluster of everything that is let through as it is. */
export const PASSTHROUGH = "passthrough";

/** The extension that decides where connections go that lead to nothing known. */
export const UNKNOWN_DESTINATION = "unknown-destination";

function byDiscovery(name: string): NetworkFilters {
  return [{ name, configType: { case: "configDiscovery", value: { configSource: FROM_ADS, typeUrls: [typeUrl(TcpProxySchema)] } } }];
}

function requests(routeConfigName: string, workload: string): NetworkFilters {
  return [networkFilter("http", outboundHttpConnectionManager({ routeConfigName, accessLog: outboundHttpLog(workload) }))];
}

/** The bound listener of a workload. */
export function outboundRedirect(workload: Workload): Listener {
  return redirectedOutboundListener({ name: OUTBOUND, ipv6: workload.ipv6 === true, other: byDiscovery(UNKNOWN_DESTINATION) });
}

/** Where the access default of the caller's namespace lets connections go that lead to nothing known. */
export function unknownDestination(workload: Workload, access: DefaultAccess): TypedExtensionConfig {
  const name = `${workload.namespace}/${workload.name}`;
  const refusal = notVisibleName(workload);
  const log =
    access === "Deny"
      ? unknownDestinationLog(name, { refusal })
      : unknownDestinationLog(name, access === "Audit" ? { auditedRefusal: refusal } : {});
  return create(TypedExtensionConfigSchema, {
    name: UNKNOWN_DESTINATION,
    typedConfig: any(TcpProxySchema, {
      statPrefix: UNKNOWN_DESTINATION,
      clusterSpecifier: { case: "cluster", value: access === "Deny" ? NOT_VISIBLE : PASSTHROUGH },
      idleTimeout: { seconds: 0n, nanos: 0 },
      accessLog: [log],
    }),
  });
}

/**
 * Answers requests to what is not visible with the reason, and closes everything else. After an answer it closes too: a
 * client that keeps its connection would be refused for ever, since only a new one is led to what has become visible.
 */
export function refusalListener(workload: Workload): Listener {
  const accessLog = outboundHttpLog(`${workload.namespace}/${workload.name}`);
  const manager = outboundHttpConnectionManager({ routeConfigName: NOT_VISIBLE, accessLog, closes: true });
  return internalHttpListener(NOT_VISIBLE, [networkFilter("http", manager)]);
}

export function refusalRoutes(workload: Workload): RouteConfiguration {
  return create(RouteConfigurationSchema, { name: NOT_VISIBLE, virtualHosts: [notVisible(workload)] });
}

/** Connections to a service port that are treated alike: those of a route, or all. */
export interface ChainName {
  readonly name: string;
  readonly serverNames: readonly string[];
}

/** The chains of a service port that no route is for. */
export function plainChains(ref: ServicePortRef, traffic: Traffic): readonly TcpChain[] {
  return [{ name: "service", serverNames: [], shares: [{ cluster: bytesClusterName(ref, traffic), weight: 1 }] }];
}

/** The extension of a chain. That of the chain for all names is the same with and without routes, so that no listener changes. */
export function chainExtension(ref: ServicePortRef, chain: ChainName): string {
  return chain.serverNames.length === 0 ? outboundName(ref) : `${outboundName(ref)}/${chain.name}`;
}

/** The listener of a service on its own addresses. */
export function serviceListener({ ref, service, traffic }: ServicePortOf, chains: readonly ChainName[]): Listener {
  const name = outboundName(ref);
  const http = (): NetworkFilters => requests(name, OWN_WORKLOAD);
  const meets = (): DestinationTraffic => {
    switch (traffic) {
      case "requests":
        return { kind: "http", filters: http() };
      case "bytes":
        return {
          kind: "bytes",
          chains: chains.map((chain) => ({
            name: chain.serverNames.length === 0 ? "bytes" : chain.name,
            serverNames: chain.serverNames,
            filters: byDiscovery(chainExtension(ref, chain)),
          })),
        };
      case "detected":
        return { kind: "detected", http: http(), bytes: byDiscovery(name) };
    }
  };
  return destinationListener({ name, addresses: service.addresses, port: ref.port, traffic: meets() });
}

/** Whether a cluster takes tunnels; undefined for one that does not exist, which closes connections either way. */
export type TakesTunnels = (cluster: string) => boolean | undefined;

function isTunnelledChain({ shares }: TcpChain, takesTunnels: TakesTunnels): boolean {
  return shares.some(({ cluster }) => takesTunnels(cluster) === true) && !shares.some(({ cluster }) => takesTunnels(cluster) === false);
}

/**
 * The clusters that take tunnels and get none from these chains, sorted: Envoy tunnels all connections of a chain or none, and
 * something else that the chain leads to takes no tunnels.
 */
export function untunnelledShares(chains: readonly TcpChain[], takesTunnels: TakesTunnels): readonly string[] {
  const mixed = chains.filter((chain) => !isTunnelledChain(chain, takesTunnels));
  const clusters = mixed.flatMap(({ shares }) => shares.map(({ cluster }) => cluster).filter((cluster) => takesTunnels(cluster) === true));
  return [...new Set(clusters)].sort();
}

/** Where the connections of a chain go: in tunnels if all that it leads to takes them, else all without. */
export function chainProxy(ref: ServicePortRef, chain: TcpChain, takesTunnels: TakesTunnels): TypedExtensionConfig {
  const tunnelled = isTunnelledChain(chain, takesTunnels);
  const untunnelled = new Set(untunnelledShares([chain], takesTunnels));
  const shares = chain.shares.map(({ cluster, weight }) => ({
    cluster: untunnelled.has(cluster) ? untunnelledName(cluster) : cluster,
    weight,
  }));
  return create(TypedExtensionConfigSchema, {
    name: chainExtension(ref, chain),
    typedConfig: packed(TcpProxySchema, tcpProxyOf({ ...chain, shares }, byteProxy(OWN_WORKLOAD, ref, tunnelled))),
  });
}

/**
 * What no application has seen yet may be sent again, to another endpoint: an endpoint that has just gone is still known
 * for a moment.
 */
const RETRY_UNSEEN: MessageInitShape<typeof RetryPolicySchema> = {
  retryOn: "connect-failure,refused-stream,reset-before-request",
  numRetries: 2,
  retryHostPredicate: [{ name: "previous-hosts", configType: { case: "typedConfig", value: any(PreviousHostsPredicateSchema, {}) } }],
  hostSelectionRetryMaxAttempts: 3n,
};

/** The routes of a service port, whatever Host is asked for. */
export function serviceRouteConfiguration(name: string, routes: readonly MessageInitShape<typeof RouteSchema>[]): RouteConfiguration {
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: [visibleHost(name, ["*"], routes, RETRY_UNSEEN)],
  });
}

/** How the pods of a headless service are spoken to that have a sidecar, and those that have none. */
export function directName(ref: ServicePortRef, mesh: boolean): string {
  return `direct/${ref.namespace}/${ref.service}/${ref.port}/${mesh ? "mesh" : "plaintext"}`;
}

/** The cluster for streams of bytes, where requests go to the same port. */
export function directBytesName(ref: ServicePortRef, mesh: boolean, traffic: Traffic): string {
  return traffic === "detected" ? `${directName(ref, mesh)}/bytes` : directName(ref, mesh);
}

/** The listener of one address of a headless service. */
export function directListener(
  { ref, traffic }: Pick<ServicePortOf, "ref" | "traffic">,
  endpoint: { readonly address: string; readonly port: number; readonly mesh: boolean },
): Listener {
  const { address, port, mesh } = endpoint;
  const http = (): NetworkFilters => requests(directName(ref, mesh), OWN_WORKLOAD);
  const bytes = (): NetworkFilters => [
    networkFilter(
      "bytes",
      any(TcpProxySchema, {
        ...byteProxy(OWN_WORKLOAD, { ...ref, port }, mesh),
        clusterSpecifier: { case: "cluster", value: directBytesName(ref, mesh, traffic) },
      }),
    ),
  ];
  const meets = (): DestinationTraffic => {
    switch (traffic) {
      case "requests":
        return { kind: "http", filters: http() };
      case "bytes":
        return { kind: "bytes", chains: [{ name: "bytes", serverNames: [], filters: bytes() }] };
      case "detected":
        return { kind: "detected", http: http(), bytes: bytes() };
    }
  };
  return destinationListener({ name: directListenerName(endpoint), addresses: [address], port, traffic: meets() });
}

export function directListenerName({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(":") ? `direct/[${address}]:${port}` : `direct/${address}:${port}`;
}

/** All requests to the dialled address. */
export function directRoutes(name: string): RouteConfiguration {
  return serviceRouteConfiguration(name, [
    {
      name: "pod",
      match: { pathSpecifier: { case: "prefix", value: "/" } },
      action: {
        case: "route",
        value: { clusterSpecifier: { case: "cluster", value: name }, timeout: { seconds: 0n, nanos: 0 } },
      },
    },
  ]);
}
