/**
 * What every caller shares: per service port a cluster, its endpoints and a virtual host. In standalone mode a
 * workload's outbound routes are the virtual hosts of the services that it may see, and a last one that refuses the
 * rest by name.
 */
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { any } from "../../xds-server/envoy/any.ts";
import { outboundHttpLog, tcpLog } from "../../xds-server/envoy/access-log.ts";
import { serviceCluster, type UpstreamProtocol } from "../../xds-server/envoy/cluster.ts";
import { outboundHttpConnectionManager, VISIBILITY_FILTER } from "../../xds-server/envoy/http-connection.ts";
import { networkFilter, outboundListener } from "../../xds-server/envoy/listener.ts";
import { type ExpectedPeers, MESH_ALPN, MESH_TUNNEL_ALPN, type TlsSettings, upstreamTls } from "../../xds-server/envoy/tls.ts";
import type { Cluster } from "../../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Listener } from "../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import type {
  RetryPolicySchema,
  Route,
  RouteSchema,
  VirtualHostSchema,
} from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { TcpProxySchema } from "../../xds-server/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { outboundName, type ServicePortRef } from "../model/service.ts";
import { NO_ACCESS_CHECK, refuseAll } from "./rbac.ts";
import type { Backend, Traffic } from "./service-ports.ts";

/** The wire name of the outbound proxy's listener and routes. */
export const OUTBOUND = "outbound";

/** The DNS suffix of services, as clusters have it by default. */
const CLUSTER_DOMAIN = "cluster.local";

/** Whether byte streams to these endpoints travel in tunnels: only sidecars take one, so one endpoint without is enough to do without. */
export function isTunnelled({ traffic, endpoints }: Pick<Backend, "traffic" | "endpoints">): boolean {
  return traffic !== "requests" && endpoints.every((endpoint) => endpoint.mesh);
}

/** The cluster for byte streams to a service port: its own unless requests go there too. */
export function bytesClusterName(ref: ServicePortRef, traffic: Traffic): string {
  return traffic === "detected" ? `${outboundName(ref)}/bytes` : outboundName(ref);
}

/**
 * The clusters of a service port. `peers` are the identities that may answer for it. Between two sidecars everything
 * travels as HTTP/2, byte streams in tunnels; towards an endpoint without one, as the port says it speaks.
 */
export function outboundClusters(backend: Backend, tls: TlsSettings, peers: ExpectedPeers): readonly Cluster[] {
  const { ref, traffic } = backend;
  const endpoints = outboundName(ref);
  const cluster = (name: string, alpn: readonly string[], spoken: UpstreamProtocol): Cluster =>
    serviceCluster({ name, endpoints, tls: upstreamTls(tls, peers, alpn), protocol: spoken });
  const bytes = (): Cluster =>
    isTunnelled(backend)
      ? cluster(bytesClusterName(ref, traffic), [MESH_TUNNEL_ALPN, "h2"], "http2")
      : cluster(bytesClusterName(ref, traffic), [MESH_ALPN], "tcp");
  const requests = (): Cluster => {
    const spoken = spokenTo(backend);
    return cluster(endpoints, [MESH_ALPN, spoken === "http2" ? "h2" : "http/1.1"], spoken);
  };
  switch (traffic) {
    case "requests":
      return [requests()];
    case "bytes":
      return [bytes()];
    case "detected":
      return [requests(), bytes()];
  }
}

/** The name of the cluster beside `cluster` for those who do without its tunnels. */
export function untunnelledName(cluster: string): string {
  return `${cluster}/untunnelled`;
}

/**
 * The cluster of that name. It has endpoints of its own: an Envoy that knows those of a name already asks nobody for them
 * again, and a cluster that comes later would wait for them for ever.
 */
export function untunnelledCluster(name: string, tls: TlsSettings, peers: ExpectedPeers): Cluster {
  return serviceCluster({ name, endpoints: name, tls: upstreamTls(tls, peers, [MESH_ALPN]), protocol: "tcp" });
}

function spokenTo({ protocol, traffic, endpoints }: Backend): UpstreamProtocol {
  if (protocol === "http2" || endpoints.every((endpoint) => endpoint.mesh)) return "http2";
  return traffic === "detected" && endpoints.every((endpoint) => !endpoint.mesh) ? "as-called" : "http1";
}

/** Every name under which a caller in `namespace` may address the service, with and without its port. */
export function serviceDomains(ref: ServicePortRef, callerNamespace: string): string[] {
  const names = [
    ...(callerNamespace === ref.namespace ? [ref.service] : []),
    `${ref.service}.${ref.namespace}`,
    `${ref.service}.${ref.namespace}.svc`,
    `${ref.service}.${ref.namespace}.svc.${CLUSTER_DOMAIN}`,
  ];
  const withPort = names.map((name) => `${name}:${ref.port}`);
  return ref.port === 80 ? [...names, ...withPort] : withPort;
}

/** A service port as the outbound proxy of a caller in `callerNamespace` sees it: open, since it is visible. */
export function serviceVirtualHost(
  ref: ServicePortRef,
  callerNamespace: string,
  routes: readonly Route[],
): MessageInitShape<typeof VirtualHostSchema> {
  return visibleHost(outboundName(ref), serviceDomains(ref, callerNamespace), routes);
}

/** A virtual host that may be called. */
export function visibleHost(
  name: string,
  domains: readonly string[],
  routes: readonly MessageInitShape<typeof RouteSchema>[],
  retryPolicy?: MessageInitShape<typeof RetryPolicySchema>,
): MessageInitShape<typeof VirtualHostSchema> {
  return {
    name,
    domains: [...domains],
    ...(retryPolicy === undefined ? {} : { retryPolicy }),
    metadata: { filterMetadata: { seawall: { visible: "allowed" } } },
    typedPerFilterConfig: { [VISIBILITY_FILTER]: NO_ACCESS_CHECK },
    routes: [...routes],
  };
}

/** By which a workload is refused what it may not see. */
export function notVisibleName(workload: { readonly namespace: string; readonly name: string }): string {
  return `not-visible/${workload.namespace}/${workload.name}`;
}

/** The virtual host that answers for every service that the workload may not see, with the reason by name. */
export function notVisible(workload: { readonly namespace: string; readonly name: string }): MessageInitShape<typeof VirtualHostSchema> {
  const answer = {
    case: "directResponse",
    value: { status: 403, body: { specifier: { case: "inlineString", value: "this service is not visible to this workload\n" } } },
  } as const;
  const policy = notVisibleName(workload);
  return {
    name: "not-visible",
    domains: ["*"],
    metadata: { filterMetadata: { seawall: { visible: "denied", policy } } },
    typedPerFilterConfig: { [VISIBILITY_FILTER]: refuseAll(policy) },
    routes: [
      { name: "not-visible-connect", match: { pathSpecifier: { case: "connectMatcher", value: {} } }, action: answer },
      { name: "not-visible", match: { pathSpecifier: { case: "prefix", value: "/" } }, action: answer },
    ],
  };
}

/** One serialized virtual host, as an entry of a serialized RouteConfiguration: entries of several concatenate. */
export function virtualHostEntry(virtualHost: MessageInitShape<typeof VirtualHostSchema>): Uint8Array {
  return toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { virtualHosts: [virtualHost] }));
}

/** The serialized outbound routes of a workload, from the entries of the services that it sees. */
export function outboundRoutes(
  workload: { readonly namespace: string; readonly name: string },
  entries: readonly Uint8Array[],
): Uint8Array {
  const head = toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { name: OUTBOUND }));
  return Buffer.concat([head, ...entries, virtualHostEntry(notVisible(workload))]);
}

/** The explicit HTTP proxy of a standalone workload's pods, but for its address. */
export function outboundProxyListener(workload: string): Listener {
  return outboundListener({
    name: OUTBOUND,
    filters: [networkFilter("http", outboundHttpConnectionManager({ routeConfigName: OUTBOUND, accessLog: outboundHttpLog(workload) }))],
  });
}

/** What every outbound `tcp_proxy` has, but for its cluster. */
export function byteProxy(workload: string, ref: ServicePortRef, tunnelled: boolean): MessageInitShape<typeof TcpProxySchema> {
  return {
    statPrefix: "outbound",
    idleTimeout: { seconds: 0n, nanos: 0 },
    ...(tunnelled ? { tunnelingConfig: { hostname: `${ref.service}.${ref.namespace}:${ref.port}` } } : {}),
    accessLog: [tcpLog("outbound", workload)],
  };
}

/** The listener through which a standalone workload's pods reach a TCP service, but for its address. */
export function outboundTcpListener(workload: string, ref: ServicePortRef, tunnelled: boolean): Listener {
  const cluster = { case: "cluster", value: outboundName(ref) } as const;
  return outboundListener({
    name: outboundName(ref),
    filters: [networkFilter("tcp", any(TcpProxySchema, { ...byteProxy(workload, ref, tunnelled), clusterSpecifier: cluster }))],
  });
}
