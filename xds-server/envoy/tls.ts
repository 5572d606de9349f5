import { type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { StringMatcherSchema } from "../gen/envoy/type/matcher/v3/string_pb.js";
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { SubjectAltNameMatcher_SanType, TlsParameters_TlsProtocol } from "../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import { any } from "./any.ts";
import { FROM_ADS } from "./discovery.ts";

/** The names under which every sidecar asks for its own certificate and for the roots; constant, so that clusters stay shared. */
export const IDENTITY_SECRET = "identity";
export const TRUST_SECRET = "trust";

/**
 * The protocol name that marks a connection as the mesh's own. A client offers it beside what it really speaks; a
 * server matches it in the handshake and negotiates one of the others. So an application's own TLS is never mistaken.
 */
export const MESH_ALPN = "seawall";

/** The same for byte streams of TCP ports that travel as HTTP/2 CONNECT, one request per stream: see `tunnelRoutes`. */
export const MESH_TUNNEL_ALPN = "seawall-tunnel";

export type TlsVersion = "1.2" | "1.3";
export type PostQuantum = "Prefer" | "Require" | "Disable";

export interface TlsSettings {
  readonly minVersion: TlsVersion;
  readonly postQuantum: PostQuantum;
}

/** Who must be at the other end: SPIFFE ids, whole or (ending in `/`) as a prefix. */
export type ExpectedPeers = readonly string[];

const HYBRID_CURVE = "X25519MLKEM768";
const CLASSICAL_CURVES = ["X25519", "P-256"];

function curves(postQuantum: PostQuantum): string[] {
  switch (postQuantum) {
    case "Prefer":
      return [HYBRID_CURVE, ...CLASSICAL_CURVES];
    case "Require":
      return [HYBRID_CURVE];
    case "Disable":
      return CLASSICAL_CURVES;
  }
}

function commonContext(tls: TlsSettings, peers: ExpectedPeers, alpn: readonly string[]): MessageInitShape<typeof CommonTlsContextSchema> {
  return {
    tlsParams: {
      // A post-quantum key exchange exists in TLS 1.3 alone. The maximum is always named: for clients Envoy's own is 1.2.
      tlsMinimumProtocolVersion:
        tls.minVersion === "1.3" || tls.postQuantum === "Require" ? TlsParameters_TlsProtocol.TLSv1_3 : TlsParameters_TlsProtocol.TLSv1_2,
      tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      ecdhCurves: curves(tls.postQuantum),
    },
    alpnProtocols: [...alpn],
    tlsCertificateSdsSecretConfigs: [{ name: IDENTITY_SECRET, sdsConfig: FROM_ADS }],
    validationContextType: {
      case: "combinedValidationContext",
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: peers.map((peer) => ({ sanType: SubjectAltNameMatcher_SanType.URI, matcher: peerMatcher(peer) })),
        },
        validationContextSdsSecretConfig: { name: TRUST_SECRET, sdsConfig: FROM_ADS },
      },
    },
  };
}

function peerMatcher(peer: string): MessageInitShape<typeof StringMatcherSchema> {
  return { matchPattern: peer.endsWith("/") ? { case: "prefix", value: peer } : { case: "exact", value: peer } };
}

/** The server's side of mutual TLS: a client certificate of `peers` is required. `alpn` is what the server may choose. */
export function downstreamTls(tls: TlsSettings, peers: ExpectedPeers, alpn: readonly string[]): Any {
  return any(DownstreamTlsContextSchema, {
    commonTlsContext: commonContext(tls, peers, alpn),
    requireClientCertificate: true,
  });
}

/** The client's side: the server must present one of `peers`. `alpn` is what the client offers. */
export function upstreamTls(tls: TlsSettings, peers: ExpectedPeers, alpn: readonly string[]): Any {
  return any(UpstreamTlsContextSchema, { commonTlsContext: commonContext(tls, peers, alpn) });
}
