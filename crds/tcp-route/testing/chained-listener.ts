/** A listener as a caller's sidecar has it for a TCP service port, with the given chains. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { any } from "../../../xds-server/envoy/any.ts";
import { envoyJson } from "../../../xds-server/envoy/yaml.ts";
import type { FilterChainSchema } from "../../../xds-server/gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";
import { TlsInspectorSchema } from "../../../xds-server/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import { TcpProxySchema } from "../../../xds-server/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { type TcpChain, tcpProxyOf } from "../translate.ts";

export function chainedListener(chains: readonly TcpChain[], port = 0): object {
  const listener = create(ListenerSchema, {
    name: "outbound",
    address: { address: { case: "socketAddress", value: { address: "127.0.0.1", portSpecifier: { case: "portValue", value: port } } } },
    listenerFilters: [{ name: "tls", configType: { case: "typedConfig", value: any(TlsInspectorSchema, {}) } }],
    filterChains: chains.map(filterChain),
  });
  return envoyJson(ListenerSchema, listener);
}

function filterChain(chain: TcpChain): MessageInitShape<typeof FilterChainSchema> {
  const proxy = any(TcpProxySchema, tcpProxyOf(chain, { statPrefix: "outbound" }));
  return {
    name: chain.name,
    ...(chain.serverNames.length === 0 ? {} : { filterChainMatch: { serverNames: [...chain.serverNames] } }),
    filters: [{ name: "tcp", configType: { case: "typedConfig", value: proxy } }],
  };
}
