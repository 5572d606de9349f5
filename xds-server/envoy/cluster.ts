import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { type Cluster, Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from "../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import type { BindConfigSchema } from "../gen/envoy/config/core/v3/address_pb.js";
import { SocketOption_SocketState } from "../gen/envoy/config/core/v3/socket_option_pb.js";
import { RawBufferSchema } from "../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import { HttpProtocolOptionsSchema } from "../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import { socketAddress } from "./address.ts";
import { any } from "./any.ts";
import { FROM_ADS } from "./discovery.ts";
import { APPLICATION_PRIORITY } from "./sidecar-ports.ts";

/** How a cluster's connections are spoken over: HTTP of one version, or of the version of the request; or bytes. */
export type UpstreamProtocol = "http1" | "http2" | "as-called" | "tcp";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const TRANSPORT_MATCH = "envoy.transport_socket_match";
const CONNECT_TIMEOUT = { seconds: 5n, nanos: 0 };

type UpstreamOptions = NonNullable<MessageInitShape<typeof HttpProtocolOptionsSchema>["upstreamProtocolOptions"]>;

/**
 * For how long a connection to an application is kept without a request. Applications close theirs after a while too (many
 * after 5 s, some after 2), and a request that meets that moment fails; a new connection within the pod costs next to nothing.
 */
const APPLICATION_IDLE = { seconds: 1n, nanos: 0 };

/** The options of a cluster that is spoken to in one protocol; `toApplication` if it is the sidecar's own. */
export function protocolOptions(protocol: UpstreamProtocol, toApplication = false): Record<string, Any> {
  if (protocol === "tcp") return {};
  return {
    [HTTP_OPTIONS]: any(HttpProtocolOptionsSchema, {
      ...(toApplication ? { commonHttpProtocolOptions: { idleTimeout: APPLICATION_IDLE } } : {}),
      upstreamProtocolOptions: upstreamOptions(protocol),
    }),
  };
}

function upstreamOptions(protocol: Exclude<UpstreamProtocol, "tcp">): UpstreamOptions {
  switch (protocol) {
    case "http1":
      return { case: "explicitHttpConfig", value: { protocolConfig: { case: "httpProtocolOptions", value: {} } } };
    case "http2":
      return { case: "explicitHttpConfig", value: { protocolConfig: { case: "http2ProtocolOptions", value: { allowConnect: true } } } };
    case "as-called":
      return { case: "useDownstreamProtocolConfig", value: { httpProtocolOptions: {}, http2ProtocolOptions: { allowConnect: true } } };
  }
}

const SOL_SOCKET = 1;
const SO_PRIORITY = 12;

/** Marks the connections of a sidecar to its own application, for the redirect to let them pass: see APPLICATION_PRIORITY. */
export const TO_APPLICATION: MessageInitShape<typeof BindConfigSchema> = {
  socketOptions: [
    {
      description: "to the application",
      level: BigInt(SOL_SOCKET),
      name: BigInt(SO_PRIORITY),
      value: { case: "intValue", value: BigInt(APPLICATION_PRIORITY) },
      state: SocketOption_SocketState.STATE_PREBIND,
    },
  ],
};

/** The cluster from a sidecar to its own application. */
export function applicationCluster(name: string, address: string, port: number, protocol: UpstreamProtocol): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    connectTimeout: CONNECT_TIMEOUT,
    typedExtensionProtocolOptions: protocolOptions(protocol, true),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address: socketAddress(address, port) } } }] }],
    },
  });
}

export interface ServiceCluster {
  readonly name: string;
  /** The name of its endpoints; several clusters may share them. */
  readonly endpoints: string;
  /** Towards endpoints of the mesh. */
  readonly tls: Any;
  readonly protocol: UpstreamProtocol;
}

/**
 * The cluster of a service port as every caller sees it: endpoints by EDS; those that say they speak mesh mTLS get it,
 * the others plaintext.
 */
export function serviceCluster({ name, endpoints, tls, protocol }: ServiceCluster): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: FROM_ADS, ...(endpoints === name ? {} : { serviceName: endpoints }) },
    connectTimeout: CONNECT_TIMEOUT,
    typedExtensionProtocolOptions: protocolOptions(protocol),
    transportSocketMatches: [
      {
        name: "mesh",
        match: { transport: "mesh" },
        transportSocket: { name: "tls", configType: { case: "typedConfig", value: tls } },
      },
      {
        name: "plaintext",
        match: {},
        transportSocket: { name: "plaintext", configType: { case: "typedConfig", value: any(RawBufferSchema, {}) } },
      },
    ],
  });
}

/** A cluster that dials the address that the connection was redirected from: with TLS, or as it is. */
export function originalDestinationCluster(options: {
  readonly name: string;
  readonly protocol: UpstreamProtocol;
  readonly tls?: Any;
  /** The address is the sidecar's own application. */
  readonly toApplication?: true;
}): Cluster {
  const { name, protocol, tls, toApplication } = options;
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: CONNECT_TIMEOUT,
    typedExtensionProtocolOptions: protocolOptions(protocol, toApplication),
    ...(toApplication === true ? { upstreamBindConfig: TO_APPLICATION } : {}),
    ...(tls === undefined ? {} : { transportSocket: { name: "tls", configType: { case: "typedConfig", value: tls } } }),
  });
}

/** A cluster that leads to a listener within the sidecar itself. */
export function internalCluster(name: string, listener: string): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    connectTimeout: CONNECT_TIMEOUT,
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: [
            {
              hostIdentifier: {
                case: "endpoint",
                value: {
                  address: {
                    address: {
                      case: "envoyInternalAddress",
                      value: { addressNameSpecifier: { case: "serverListenerName", value: listener }, endpointId: listener },
                    },
                  },
                },
              },
            },
          ],
        },
      ],
    },
  });
}

export interface ServiceEndpoint {
  readonly address: string;
  readonly port: number;
  /** Reached over mesh mTLS: it has a sidecar whose port accepts it. */
  readonly mesh: boolean;
}

/** The endpoints of a service port, in the order given. */
export function loadAssignment(name: string, endpoints: readonly ServiceEndpoint[]): ClusterLoadAssignment {
  return create(ClusterLoadAssignmentSchema, {
    clusterName: name,
    endpoints: endpoints.length === 0 ? [] : [{ lbEndpoints: endpoints.map(lbEndpoint) }],
  });
}

type LbEndpoint = NonNullable<
  NonNullable<MessageInitShape<typeof ClusterLoadAssignmentSchema>["endpoints"]>[number]["lbEndpoints"]
>[number];

function lbEndpoint(endpoint: ServiceEndpoint): LbEndpoint {
  return {
    hostIdentifier: { case: "endpoint", value: { address: socketAddress(endpoint.address, endpoint.port) } },
    ...(endpoint.mesh ? { metadata: { filterMetadata: { [TRANSPORT_MATCH]: { transport: "mesh" } } } } : {}),
  };
}
