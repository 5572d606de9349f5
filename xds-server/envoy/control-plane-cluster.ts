/** How a sidecar reaches its control plane: one ADS stream over HTTP/2, with its token on it. */
import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { isIP } from "node:net";
import type { Bootstrap_DynamicResourcesSchema } from "../gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { Cluster_DiscoveryType, type ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { ApiConfigSource_ApiType, ApiVersion, type ConfigSourceSchema } from "../gen/envoy/config/core/v3/config_source_pb.js";
import { CredentialInjectorSchema } from "../gen/envoy/extensions/filters/http/credential_injector/v3/credential_injector_pb.js";
import { UpstreamCodecSchema } from "../gen/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec_pb.js";
import { GenericSchema } from "../gen/envoy/extensions/http/injected_credentials/generic/v3/generic_pb.js";
import { SubjectAltNameMatcher_SanType, TlsParameters_TlsProtocol } from "../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import { SecretSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { UpstreamTlsContextSchema, type CommonTlsContextSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { HttpProtocolOptionsSchema } from "../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import { socketAddress } from "./address.ts";
import { any } from "./any.ts";
import { FROM_ADS } from "./discovery.ts";
import { envoyJson } from "./yaml.ts";

/** The cluster of the control plane in every sidecar. */
export const XDS_CLUSTER = "xds";

/** The names under which the token and the roots are kept in the files of file SDS. */
const TOKEN_SECRET = "xds-token";
const ROOTS_SECRET = "xds-trust";

/** How the control plane is known to be the right one. */
export type ControlPlaneTrust =
  /** TLS 1.3. `serverName` is a DNS name or an IP address that its certificate must hold; `caFile` the PEM of the mesh's roots. */
  | { readonly kind: "tls"; readonly serverName: string; readonly caFile: string }
  /** The same with roots that are replaced while the sidecar runs: `file` holds {@link rootsSecretFile}, `folder` is watched. */
  | { readonly kind: "rotating-tls"; readonly serverName: string; readonly file: string; readonly folder: string }
  /** For measuring on loopback only. */
  | { readonly kind: "plaintext" };

export interface ControlPlaneConnection {
  readonly controlPlane: { readonly host: string; readonly port: number };
  readonly trust: ControlPlaneTrust;
  /** Holds what {@link tokenSecretFile} wrote and is replaced by a rename within `tokenFolder`. */
  readonly tokenFile: string;
  readonly tokenFolder: string;
}

const KEEPALIVE = { interval: { seconds: 30n, nanos: 0 }, timeout: { seconds: 5n, nanos: 0 } };
const RECONNECT = { baseInterval: { seconds: 0n, nanos: 100_000_000 }, maxInterval: { seconds: 2n, nanos: 0 } };

/** Everything over one delta ADS stream to {@link XDS_CLUSTER}. */
export const EVERYTHING_BY_ADS: MessageInitShape<typeof Bootstrap_DynamicResourcesSchema> = {
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
};

export function controlPlaneCluster(connection: ControlPlaneConnection): MessageInitShape<typeof ClusterSchema> {
  const { host, port } = connection.controlPlane;
  return {
    name: XDS_CLUSTER,
    clusterDiscoveryType: { case: "type", value: isIP(host) === 0 ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.STATIC },
    connectTimeout: { seconds: 5n, nanos: 0 },
    loadAssignment: {
      clusterName: XDS_CLUSTER,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address: socketAddress(host, port) } } }] }],
    },
    typedExtensionProtocolOptions: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": any(HttpProtocolOptionsSchema, {
        upstreamProtocolOptions: {
          case: "explicitHttpConfig",
          value: { protocolConfig: { case: "http2ProtocolOptions", value: { connectionKeepalive: KEEPALIVE } } },
        },
        httpFilters: [
          { name: "envoy.filters.http.credential_injector", configType: { case: "typedConfig", value: tokenInjector(connection) } },
          { name: "envoy.filters.http.upstream_codec", configType: { case: "typedConfig", value: any(UpstreamCodecSchema, {}) } },
        ],
      }),
    },
    ...(connection.trust.kind === "plaintext"
      ? {}
      : { transportSocket: { name: "tls", configType: { case: "typedConfig", value: controlPlaneTls(connection.trust) } } }),
  };
}

/** Sends the token whenever the stream opens, read from a file that is watched: a static secret would be sent for ever. */
function tokenInjector({ tokenFile, tokenFolder }: ControlPlaneConnection): Any {
  return any(CredentialInjectorSchema, {
    overwrite: true,
    credential: {
      name: "envoy.http.injected_credentials.generic",
      typedConfig: any(GenericSchema, {
        header: "authorization",
        headerValuePrefix: "Bearer ",
        credential: { name: TOKEN_SECRET, sdsConfig: watchedFile(tokenFile, tokenFolder) },
      }),
    },
  });
}

function watchedFile(path: string, folder: string): MessageInitShape<typeof ConfigSourceSchema> {
  return {
    configSourceSpecifier: { case: "pathConfigSource", value: { path, watchedDirectory: { path: folder } } },
    resourceApiVersion: ApiVersion.V3,
  };
}

type NamedTrust = Exclude<ControlPlaneTrust, { readonly kind: "plaintext" }>;

function controlPlaneTls(trust: NamedTrust): Any {
  const isAddress = isIP(trust.serverName) !== 0;
  return any(UpstreamTlsContextSchema, {
    sni: isAddress ? "" : trust.serverName,
    commonTlsContext: {
      tlsParams: {
        // Envoy's own maximum for clients is 1.2.
        tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
        tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
        ecdhCurves: ["X25519MLKEM768", "X25519", "P-256"],
      },
      validationContextType: serverValidation(trust, isAddress),
    },
  });
}

function serverValidation(
  trust: NamedTrust,
  isAddress: boolean,
): NonNullable<MessageInitShape<typeof CommonTlsContextSchema>["validationContextType"]> {
  const matchTypedSubjectAltNames = [
    {
      sanType: isAddress ? SubjectAltNameMatcher_SanType.IP_ADDRESS : SubjectAltNameMatcher_SanType.DNS,
      matcher: { matchPattern: { case: "exact" as const, value: trust.serverName } },
    },
  ];
  switch (trust.kind) {
    case "tls":
      return {
        case: "validationContext",
        value: { trustedCa: { specifier: { case: "filename", value: trust.caFile } }, matchTypedSubjectAltNames },
      };
    case "rotating-tls":
      return {
        case: "combinedValidationContext",
        value: {
          defaultValidationContext: { matchTypedSubjectAltNames },
          validationContextSdsSecretConfig: { name: ROOTS_SECRET, sdsConfig: watchedFile(trust.file, trust.folder) },
        },
      };
  }
}

/** The content of the file from which a sidecar's Envoy takes its token (file SDS, as JSON): not to be logged. */
export function tokenSecretFile(token: string): JsonObject {
  return secretFile({
    name: TOKEN_SECRET,
    type: { case: "genericSecret", value: { secret: { specifier: { case: "inlineString", value: token } } } },
  });
}

/** The same where the token stands in a file of its own: no secret. */
export function tokenReferenceFile(tokenFile: string): JsonObject {
  return secretFile({
    name: TOKEN_SECRET,
    type: { case: "genericSecret", value: { secret: { specifier: { case: "filename", value: tokenFile } } } },
  });
}

/** The content of the file that says where the roots of the control plane are. */
export function rootsSecretFile(caFile: string): JsonObject {
  return secretFile({
    name: ROOTS_SECRET,
    type: { case: "validationContext", value: { trustedCa: { specifier: { case: "filename", value: caFile } } } },
  });
}

function secretFile(secret: MessageInitShape<typeof SecretSchema>): JsonObject {
  return {
    resources: [
      {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        ...envoyJson(SecretSchema, create(SecretSchema, secret)),
      },
    ],
  };
}
