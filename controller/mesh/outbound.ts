/**
 * What every caller shares: per service port a cluster, its endpoints and a virtual host. In standalone mode a
 * workload's outbound routes are the virtual hosts of the services that it may see, and a last one that refuses the
 * rest by name.
 */
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { any } from "../../xds-server/envoy/any.ts";
import { outboundHttpLog, tcpLog } from "../../xds-server/envoy/access-log.ts";
import { type ServiceEndpoint, serviceCluster } from "../../xds-server/envoy/cluster.ts";
import { outboundHttpConnectionManager, VISIBILITY_FILTER } from "../../xds-server/envoy/http-connection.ts";
import { networkFilter, outboundListener } from "../../xds-server/envoy/listener.ts";
import { type ExpectedPeers, MESH_ALPN, MESH_TUNNEL_ALPN, type TlsSettings, upstreamTls } from "../../xds-server/envoy/tls.ts";
import type { Cluster } from "../../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Listener } from "../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { type Route, type VirtualHostSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { TcpProxySchema } from "../../xds-server/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { type PortProtocol } from "../model/protocol.ts";
import { outboundName, type ServicePortRef } from "../model/service.ts";
import { NO_ACCESS_CHECK, refuseAll } from "./rbac.ts";

/** The wire name of the outbound proxy's listener and routes. */
export const OUTBOUND = "outbound";

/** The DNS suffix of services, as clusters have it by default. */
const CLUSTER_DOMAIN = "cluster.local";

/** Whether byte streams to these endpoints travel in tunnels: only sidecars take one, so one endpoint without is enough to do without. */
export function isTunnelled(protocol: PortProtocol, endpoints: readonly ServiceEndpoint[]): boolean {
  return protocol === "tcp" && endpoints.every((endpoint) => endpoint.mesh);
}

/**
 * The cluster of a service port. `peers` are the identities that may answer for it. Between two sidecars everything
 * travels as HTTP/2, byte streams in tunnels; towards an endpoint without one, as the port says it speaks.
 */
export function outboundCluster(
  ref: ServicePortRef,
  protocol: PortProtocol,
  endpoints: readonly ServiceEndpoint[],
  tls: TlsSettings,
  peers: ExpectedPeers,
): Cluster {
  if (isTunnelled(protocol, endpoints))
    return serviceCluster(outboundName(ref), upstreamTls(tls, peers, [MESH_TUNNEL_ALPN, "h2"]), "http2");
  const everywhereMesh = endpoints.every((endpoint) => endpoint.mesh);
  const spoken = protocol === "tcp" ? "tcp" : everywhereMesh || protocol === "http2" ? "http2" : "http1";
  const alpn = spoken === "tcp" ? [MESH_ALPN] : [MESH_ALPN, spoken === "http2" ? "h2" : "http/1.1"];
  return serviceCluster(outboundName(ref), upstreamTls(tls, peers, alpn), spoken);
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
  return {
    name: outboundName(ref),
    domains: serviceDomains(ref, callerNamespace),
    metadata: { filterMetadata: { seawall: { visible: "allowed" } } },
    typedPerFilterConfig: { [VISIBILITY_FILTER]: NO_ACCESS_CHECK },
    routes: [...routes],
  };
}

/** The virtual host that answers for every service that the workload may not see, with the reason by name. */
function notVisible(workload: { readonly namespace: string; readonly name: string }): MessageInitShape<typeof VirtualHostSchema> {
  const answer = {
    case: "directResponse",
    value: { status: 403, body: { specifier: { case: "inlineString", value: "this service is not visible to this workload\n" } } },
  } as const;
  const policy = `not-visible/${workload.namespace}/${workload.name}`;
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

/** The listener through which a standalone workload's pods reach a TCP service, but for its address. */
export function outboundTcpListener(workload: string, ref: ServicePortRef, tunnelled: boolean): Listener {
  return outboundListener({
    name: outboundName(ref),
    filters: [
      networkFilter(
        "tcp",
        any(TcpProxySchema, {
          statPrefix: "outbound",
          clusterSpecifier: { case: "cluster", value: outboundName(ref) },
          idleTimeout: { seconds: 0n, nanos: 0 },
          ...(tunnelled ? { tunnelingConfig: { hostname: `${ref.service}.${ref.namespace}:${ref.port}` } } : {}),
          accessLog: [tcpLog("outbound", workload)],
        }),
      ),
    ],
  });
}
