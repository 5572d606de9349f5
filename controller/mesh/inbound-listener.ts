/**
 * What connections to a port of a workload meet. The chains are a function of the workload's ports and TLS settings alone;
 * what policies say of the port comes by routes and extensions (inbound.ts).
 */
import { toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { inboundHttpLog } from "../../xds-server/envoy/access-log.ts";
import { typeUrl } from "../../xds-server/envoy/any.ts";
import { FROM_ADS } from "../../xds-server/envoy/discovery.ts";
import { inboundHttpConnectionManager } from "../../xds-server/envoy/http-connection.ts";
import { inboundListener, type MeshChain, networkFilter, type NetworkFilters } from "../../xds-server/envoy/listener.ts";
import { downstreamTls, MESH_ALPN, MESH_TUNNEL_ALPN, type TlsSettings } from "../../xds-server/envoy/tls.ts";
import { ListenerSchema } from "../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";
import { RBACSchema as NetworkRbacSchema } from "../../xds-server/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js";
import { TcpProxySchema } from "../../xds-server/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { Workload, WorkloadPort } from "../model/workload.ts";
import { inboundName, tcpExtensionNames, tunnelName } from "./inbound.ts";

export interface InboundPort {
  readonly workload: Pick<Workload, "namespace" | "name">;
  readonly port: WorkloadPort;
  readonly trustDomain: string;
  readonly tls: TlsSettings;
  readonly limitHeadersLua: string;
}

/** The chains of one port: those of mesh callers, and what everybody else meets. */
export interface PortChains {
  readonly mesh: readonly MeshChain[];
  /** Of a port whose protocol nobody declared: what plaintext meets that is HTTP. */
  readonly http?: NetworkFilters;
  readonly other: NetworkFilters;
}

export function portChains(input: InboundPort): PortChains {
  const { port } = input;
  const workload = `${input.workload.namespace}/${input.workload.name}`;
  const peers = [`spiffe://${input.trustDomain}/`];
  const tls = (...alpn: string[]): Any => downstreamTls(input.tls, peers, alpn);
  const http = (routeConfigName: string): NetworkFilters => [
    networkFilter(
      "http",
      inboundHttpConnectionManager({ routeConfigName, accessLog: inboundHttpLog(workload), limitHeadersLua: input.limitHeadersLua }),
    ),
  ];
  const requests = (): MeshChain => ({
    name: "mesh",
    alpn: MESH_ALPN,
    tls: tls("h2", "http/1.1"),
    filters: http(inboundName(port.number)),
  });
  const tunnels = (): MeshChain => ({ name: "tunnel", alpn: MESH_TUNNEL_ALPN, tls: tls("h2"), filters: http(tunnelName(port)) });
  if (port.detected === true)
    return { mesh: [requests(), tunnels()], http: http(inboundName(port.number)), other: byteFilters(port.number) };
  if (port.protocol !== "tcp") return { mesh: [requests()], other: http(inboundName(port.number)) };
  const bytes = byteFilters(port.number);
  return { mesh: [tunnels(), { name: "mesh", alpn: MESH_ALPN, tls: tls(MESH_ALPN), filters: bytes }], other: bytes };
}

/** The serialized listener of a single port, but for its address. */
export function inboundListenerBytes(input: InboundPort): Uint8Array {
  const { mesh, other } = portChains(input);
  return toBinary(ListenerSchema, inboundListener({ name: inboundName(input.port.number), mesh, plaintext: other }));
}

/** The filters of a connection that is no tunnel, all by ECDS: how it may reach the application is itself a matter of policy. */
export function byteFilters(port: number): NetworkFilters {
  const names = tcpExtensionNames(port);
  const byDiscovery = (name: string, type: string): NetworkFilters[number] => ({
    name,
    configType: { case: "configDiscovery", value: { configSource: FROM_ADS, typeUrls: [type] } },
  });
  const rbac = typeUrl(NetworkRbacSchema);
  return [
    byDiscovery(names.deny, rbac),
    byDiscovery(names.allow, rbac),
    byDiscovery(names.access, rbac),
    byDiscovery(names.proxy, typeUrl(TcpProxySchema)),
  ];
}
