import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { socketAddress } from "../../envoy/address.ts";
import { any, typeUrl } from "../../envoy/any.ts";
import { FROM_ADS } from "../../envoy/discovery.ts";
import { Cluster_DiscoveryType, ClusterSchema } from "../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../../gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../gen/envoy/config/route/v3/route_pb.js";
import { RouterSchema } from "../../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { SecretSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { DownstreamTlsContextSchema } from "../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { encodeResource } from "../encoding.ts";
import type { EncodedResource } from "../feed.ts";
import type { ServerCertificate } from "../transport.ts";

/** The least that a real Envoy takes, each under a name, all of it found over ADS. */
export function envoyCluster(name: string, connectTimeoutSeconds = 1): EncodedResource {
  return encode(ClusterSchema, name, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: FROM_ADS },
    connectTimeout: { seconds: BigInt(connectTimeoutSeconds) },
  });
}

export function envoyEndpoints(name: string, port: number): EncodedResource {
  const address = socketAddress("127.0.0.1", port);
  const endpoints = [{ lbEndpoints: [{ hostIdentifier: { case: "endpoint" as const, value: { address } } }] }];
  return encode(ClusterLoadAssignmentSchema, name, { clusterName: name, endpoints });
}

/** Listens on a port of the system's choice; with the name of a secret, over TLS with that certificate. */
export function envoyListener(name: string, routeName: string, secret?: string): EncodedResource {
  const tls = (certificate: string): Any =>
    any(DownstreamTlsContextSchema, { commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: certificate, sdsConfig: FROM_ADS }] } });
  const manager = any(HttpConnectionManagerSchema, {
    statPrefix: name,
    routeSpecifier: { case: "rds", value: { routeConfigName: routeName, configSource: FROM_ADS } },
    httpFilters: [{ name: "router", configType: { case: "typedConfig", value: any(RouterSchema, {}) } }],
  });
  return encode(ListenerSchema, name, {
    name,
    address: socketAddress("127.0.0.1", 0),
    filterChains: [
      {
        filters: [{ name: "http", configType: { case: "typedConfig", value: manager } }],
        ...(secret === undefined ? {} : { transportSocket: { name: "tls", configType: { case: "typedConfig", value: tls(secret) } } }),
      },
    ],
  });
}

/** Everything goes to this cluster. A `pattern` is a regular expression for the path, which may be a bad one. */
export function envoyRoute(name: string, cluster: string, pattern = ".*"): EncodedResource {
  return encode(RouteConfigurationSchema, name, {
    name,
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [
          {
            match: { pathSpecifier: { case: "safeRegex", value: { regex: pattern, engineType: { case: "googleRe2", value: {} } } } },
            action: { case: "route", value: { clusterSpecifier: { case: "cluster", value: cluster } } },
          },
        ],
      },
    ],
  });
}

export function envoyCertificate(name: string, { chain, privateKey }: ServerCertificate): EncodedResource {
  const inline = (text: string): { specifier: { case: "inlineString"; value: string } } => ({
    specifier: { case: "inlineString", value: text },
  });
  const value = { certificateChain: inline(chain), privateKey: inline(privateKey) };
  return encode(SecretSchema, name, { name, type: { case: "tlsCertificate", value } });
}

function encode<Desc extends DescMessage>(schema: Desc, name: string, init: MessageInitShape<Desc>): EncodedResource {
  return encodeResource(typeUrl(schema), name, toBinary(schema, create(schema, init)));
}
