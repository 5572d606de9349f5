/**
 * The bootstrap of a standalone sidecar: who it is, where its control plane is and how it proves itself to it.
 * Everything else comes over the one ADS stream.
 */
import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { isIP } from "node:net";
import { type Bootstrap, BootstrapSchema } from "../gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { Cluster_DiscoveryType, type ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { AddressSchema } from "../gen/envoy/config/core/v3/address_pb.js";
import { ApiConfigSource_ApiType, ApiVersion, type ConfigSourceSchema } from "../gen/envoy/config/core/v3/config_source_pb.js";
import { CredentialInjectorSchema } from "../gen/envoy/extensions/filters/http/credential_injector/v3/credential_injector_pb.js";
import { UpstreamCodecSchema } from "../gen/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec_pb.js";
import { GenericSchema } from "../gen/envoy/extensions/http/injected_credentials/generic/v3/generic_pb.js";
import { SubjectAltNameMatcher_SanType, TlsParameters_TlsProtocol } from "../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import { SecretSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { UpstreamTlsContextSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { HttpProtocolOptionsSchema } from "../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import { socketAddress } from "./address.ts";
import { any } from "./any.ts";
import { FROM_ADS } from "./discovery.ts";
import { SIDECAR_RUNTIME } from "./runtime.ts";
import { envoyJson } from "./yaml.ts";

/** The cluster of the control plane in every sidecar. */
export const XDS_CLUSTER = "xds";

/** The name under which the sidecar's token is kept in the file of {@link tokenSecretFile}. */
const TOKEN_SECRET = "xds-token";

/** How the control plane is known to be the right one. */
export type ControlPlaneTrust =
  /** TLS 1.3. `serverName` is a DNS name or an IP address that its certificate must hold; `caFile` the PEM of the mesh's roots. */
  | { readonly kind: "tls"; readonly serverName: string; readonly caFile: string }
  /** For measuring on loopback only. */
  | { readonly kind: "plaintext" };

export interface SidecarBootstrap {
  /** `namespace/pod`. It labels what the sidecar says; the control plane believes the token alone. */
  readonly nodeId: string;
  readonly nodeCluster: string;
  /** Path of a UNIX socket, shorter than 100 bytes, that only this user may use. */
  readonly adminSocket: string;
  readonly controlPlane: { readonly host: string; readonly port: number };
  readonly trust: ControlPlaneTrust;
  /** Holds what {@link tokenSecretFile} wrote and is replaced by a rename within `tokenFolder`. */
  readonly tokenFile: string;
  readonly tokenFolder: string;
}

const KEEPALIVE = { interval: { seconds: 30n, nanos: 0 }, timeout: { seconds: 5n, nanos: 0 } };
const RECONNECT = { baseInterval: { seconds: 0n, nanos: 100_000_000 }, maxInterval: { seconds: 2n, nanos: 0 } };

/** The bootstrap of a sidecar. It holds no secret: the token stays in its file. */
export function sidecarBootstrap(sidecar: SidecarBootstrap): Bootstrap {
  return create(BootstrapSchema, {
    node: { id: sidecar.nodeId, cluster: sidecar.nodeCluster, metadata: { adminSocket: sidecar.adminSocket } },
    admin: { address: { address: { case: "pipe", value: { path: sidecar.adminSocket, mode: 0o600 } } } },
    dynamicResources: {
      adsConfig: {
        apiType: ApiConfigSource_ApiType.DELTA_GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [
          {
            targetSpecifier: {
              case: "envoyGrpc",
              value: { clusterName: XDS_CLUSTER, retryPolicy: { retryBackOff: RECONNECT } },
            },
          },
        ],
      },
      cdsConfig: FROM_ADS,
      ldsConfig: FROM_ADS,
    },
    layeredRuntime: { layers: [{ name: "sidecar", layerSpecifier: { case: "staticLayer", value: SIDECAR_RUNTIME } }] },
    staticResources: { clusters: [controlPlaneCluster(sidecar)] },
  });
}

function controlPlaneCluster(sidecar: SidecarBootstrap): MessageInitShape<typeof ClusterSchema> {
  const { host, port } = sidecar.controlPlane;
  const address: MessageInitShape<typeof AddressSchema> = socketAddress(host, port);
  return {
    name: XDS_CLUSTER,
    clusterDiscoveryType: { case: "type", value: isIP(host) === 0 ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.STATIC },
    connectTimeout: { seconds: 5n, nanos: 0 },
    loadAssignment: {
      clusterName: XDS_CLUSTER,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address } } }] }],
    },
    typedExtensionProtocolOptions: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": any(HttpProtocolOptionsSchema, {
        upstreamProtocolOptions: {
          case: "explicitHttpConfig",
          value: { protocolConfig: { case: "http2ProtocolOptions", value: { connectionKeepalive: KEEPALIVE } } },
        },
        httpFilters: [
          { name: "envoy.filters.http.credential_injector", configType: { case: "typedConfig", value: tokenInjector(sidecar) } },
          { name: "envoy.filters.http.upstream_codec", configType: { case: "typedConfig", value: any(UpstreamCodecSchema, {}) } },
        ],
      }),
    },
    ...(sidecar.trust.kind === "plaintext"
      ? {}
      : { transportSocket: { name: "tls", configType: { case: "typedConfig", value: controlPlaneTls(sidecar.trust) } } }),
  };
}

/** Sends the token whenever the stream opens, read from a file that is watched: a static secret would be sent for ever. */
function tokenInjector({ tokenFile, tokenFolder }: SidecarBootstrap): Any {
  const fromFile: MessageInitShape<typeof ConfigSourceSchema> = {
    configSourceSpecifier: { case: "pathConfigSource", value: { path: tokenFile, watchedDirectory: { path: tokenFolder } } },
    resourceApiVersion: ApiVersion.V3,
  };
  return any(CredentialInjectorSchema, {
    overwrite: true,
    credential: {
      name: "envoy.http.injected_credentials.generic",
      typedConfig: any(GenericSchema, {
        header: "authorization",
        headerValuePrefix: "Bearer ",
        credential: { name: TOKEN_SECRET, sdsConfig: fromFile },
      }),
    },
  });
}

function controlPlaneTls({ serverName, caFile }: { readonly serverName: string; readonly caFile: string }): Any {
  const isAddress = isIP(serverName) !== 0;
  return any(UpstreamTlsContextSchema, {
    sni: isAddress ? "" : serverName,
    commonTlsContext: {
      tlsParams: {
        // Envoy's own maximum for clients is 1.2.
        tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
        tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
        ecdhCurves: ["X25519MLKEM768", "X25519", "P-256"],
      },
      validationContextType: {
        case: "validationContext",
        value: {
          trustedCa: { specifier: { case: "filename", value: caFile } },
          matchTypedSubjectAltNames: [
            {
              sanType: isAddress ? SubjectAltNameMatcher_SanType.IP_ADDRESS : SubjectAltNameMatcher_SanType.DNS,
              matcher: { matchPattern: { case: "exact", value: serverName } },
            },
          ],
        },
      },
    },
  });
}

/** The content of the file from which a sidecar's Envoy takes its token (file SDS, as JSON): not to be logged. */
export function tokenSecretFile(token: string): JsonObject {
  const secret = create(SecretSchema, {
    name: TOKEN_SECRET,
    type: { case: "genericSecret", value: { secret: { specifier: { case: "inlineString", value: token } } } },
  });
  return {
    resources: [{ "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", ...envoyJson(SecretSchema, secret) }],
  };
}
