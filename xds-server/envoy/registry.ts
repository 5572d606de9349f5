/**
 * The generated files that Seawall uses, with all that they import. An Any can be read or printed only if its type is
 * known here; `registry.test.ts` holds the list against what is generated.
 */
import { createRegistry, type DescFile, type Registry } from "@bufbuild/protobuf";
import { file_envoy_service_discovery_v3_ads } from "../gen/envoy/service/discovery/v3/ads_pb.js";
import { file_envoy_admin_v3_config_dump } from "../gen/envoy/admin/v3/config_dump_pb.js";
import { file_envoy_admin_v3_config_dump_shared } from "../gen/envoy/admin/v3/config_dump_shared_pb.js";
import { file_envoy_config_bootstrap_v3_bootstrap } from "../gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { file_envoy_config_listener_v3_listener } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { file_envoy_config_cluster_v3_cluster } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { file_envoy_config_endpoint_v3_endpoint } from "../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { file_envoy_config_route_v3_route } from "../gen/envoy/config/route/v3/route_pb.js";
import { file_envoy_config_rbac_v3_rbac } from "../gen/envoy/config/rbac/v3/rbac_pb.js";
import { file_envoy_config_core_v3_extension } from "../gen/envoy/config/core/v3/extension_pb.js";
import { file_envoy_extensions_access_loggers_filters_cel_v3_cel } from "../gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js";
import { file_envoy_extensions_access_loggers_stream_v3_stream } from "../gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js";
import { file_envoy_extensions_filters_http_credential_injector_v3_credential_injector } from "../gen/envoy/extensions/filters/http/credential_injector/v3/credential_injector_pb.js";
import { file_envoy_extensions_filters_http_header_mutation_v3_header_mutation } from "../gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js";
import { file_envoy_extensions_filters_http_jwt_authn_v3_config } from "../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { file_envoy_extensions_filters_http_local_ratelimit_v3_local_rate_limit } from "../gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js";
import { file_envoy_extensions_filters_http_lua_v3_lua } from "../gen/envoy/extensions/filters/http/lua/v3/lua_pb.js";
import { file_envoy_extensions_filters_http_rbac_v3_rbac } from "../gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js";
import { file_envoy_extensions_filters_http_router_v3_router } from "../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { file_envoy_extensions_filters_http_upstream_codec_v3_upstream_codec } from "../gen/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec_pb.js";
import { file_envoy_extensions_filters_listener_http_inspector_v3_http_inspector } from "../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js";
import { file_envoy_extensions_filters_listener_original_dst_v3_original_dst } from "../gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import { file_envoy_extensions_filters_listener_tls_inspector_v3_tls_inspector } from "../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import { file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { file_envoy_extensions_filters_network_rbac_v3_rbac } from "../gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js";
import { file_envoy_extensions_filters_network_tcp_proxy_v3_tcp_proxy } from "../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { file_envoy_extensions_http_injected_credentials_generic_v3_generic } from "../gen/envoy/extensions/http/injected_credentials/generic/v3/generic_pb.js";
import { file_envoy_extensions_rate_limit_descriptors_expr_v3_expr } from "../gen/envoy/extensions/rate_limit_descriptors/expr/v3/expr_pb.js";
import { file_envoy_extensions_transport_sockets_raw_buffer_v3_raw_buffer } from "../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import { file_envoy_extensions_transport_sockets_tls_v3_tls } from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { file_envoy_extensions_transport_sockets_tls_v3_secret } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { file_envoy_extensions_upstreams_http_v3_http_protocol_options } from "../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import { file_envoy_extensions_bootstrap_internal_listener_v3_internal_listener } from "../gen/envoy/extensions/bootstrap/internal_listener/v3/internal_listener_pb.js";
import { file_envoy_extensions_filters_http_health_check_v3_health_check } from "../gen/envoy/extensions/filters/http/health_check/v3/health_check_pb.js";
import { file_envoy_extensions_retry_host_previous_hosts_v3_previous_hosts } from "../gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";

const ROOTS: readonly DescFile[] = [
  file_envoy_service_discovery_v3_ads,
  file_envoy_admin_v3_config_dump,
  file_envoy_admin_v3_config_dump_shared,
  file_envoy_config_bootstrap_v3_bootstrap,
  file_envoy_config_listener_v3_listener,
  file_envoy_config_cluster_v3_cluster,
  file_envoy_config_endpoint_v3_endpoint,
  file_envoy_config_route_v3_route,
  file_envoy_config_rbac_v3_rbac,
  file_envoy_config_core_v3_extension,
  file_envoy_extensions_access_loggers_filters_cel_v3_cel,
  file_envoy_extensions_access_loggers_stream_v3_stream,
  file_envoy_extensions_filters_http_credential_injector_v3_credential_injector,
  file_envoy_extensions_filters_http_header_mutation_v3_header_mutation,
  file_envoy_extensions_filters_http_jwt_authn_v3_config,
  file_envoy_extensions_filters_http_local_ratelimit_v3_local_rate_limit,
  file_envoy_extensions_filters_http_lua_v3_lua,
  file_envoy_extensions_filters_http_rbac_v3_rbac,
  file_envoy_extensions_filters_http_router_v3_router,
  file_envoy_extensions_filters_http_upstream_codec_v3_upstream_codec,
  file_envoy_extensions_filters_listener_http_inspector_v3_http_inspector,
  file_envoy_extensions_filters_listener_original_dst_v3_original_dst,
  file_envoy_extensions_filters_listener_tls_inspector_v3_tls_inspector,
  file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager,
  file_envoy_extensions_filters_network_rbac_v3_rbac,
  file_envoy_extensions_filters_network_tcp_proxy_v3_tcp_proxy,
  file_envoy_extensions_http_injected_credentials_generic_v3_generic,
  file_envoy_extensions_rate_limit_descriptors_expr_v3_expr,
  file_envoy_extensions_transport_sockets_raw_buffer_v3_raw_buffer,
  file_envoy_extensions_transport_sockets_tls_v3_tls,
  file_envoy_extensions_transport_sockets_tls_v3_secret,
  file_envoy_extensions_upstreams_http_v3_http_protocol_options,
  file_envoy_extensions_bootstrap_internal_listener_v3_internal_listener,
  file_envoy_extensions_filters_http_health_check_v3_health_check,
  file_envoy_extensions_retry_host_previous_hosts_v3_previous_hosts,
];

function withDependencies(roots: readonly DescFile[]): Set<DescFile> {
  const found = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (found.has(file)) return;
    found.add(file);
    file.dependencies.forEach(visit);
  };
  roots.forEach(visit);
  return found;
}

/** Names (without `.proto`) of the files whose messages can be read and printed. */
export const knownFiles: ReadonlySet<string> = new Set([...withDependencies(ROOTS)].map((file) => file.name));

/** Every message that Seawall may find inside an Any. */
export const registry: Registry = createRegistry(...withDependencies(ROOTS));
