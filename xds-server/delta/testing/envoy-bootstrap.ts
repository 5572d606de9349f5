import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TYPE_URL } from "../resource-types.ts";

const TYPE = "type.googleapis.com/envoy.extensions";

export interface EnvoyBootstrapOptions {
  /** Where the files for the token are written. */
  readonly folder: string;
  readonly token: string;
  readonly port: number;
  /** PEM. */
  readonly root: string;
  readonly nodeId: string;
}

/**
 * An Envoy that has nothing but the way to the server: delta ADS over TLS 1.3, with a bearer token that is read from a
 * file by SDS.
 */
export async function envoyBootstrap({ folder, token, port, root, nodeId }: EnvoyBootstrapOptions): Promise<object> {
  const rootFile = join(folder, "root.pem");
  const tokenFile = join(folder, "token");
  const secretFile = join(folder, "token.json");
  await writeFile(rootFile, root);
  await writeFile(tokenFile, token);
  const secret = { "@type": TYPE_URL.secret, name: "xds-token", generic_secret: { secret: { filename: tokenFile } } };
  await writeFile(secretFile, JSON.stringify({ resources: [secret] }));
  const credential = {
    "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
    header: "authorization",
    header_value_prefix: "Bearer ",
    credential: { name: "xds-token", sds_config: { path_config_source: { path: secretFile }, resource_api_version: "V3" } },
  };
  const ads = { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" };
  return {
    node: { id: nodeId, cluster: "test" },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          load_assignment: {
            cluster_name: "xds",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } }] }],
          },
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } } },
              http_filters: [
                {
                  name: "envoy.filters.http.credential_injector",
                  typed_config: {
                    "@type": `${TYPE}.filters.http.credential_injector.v3.CredentialInjector`,
                    overwrite: true,
                    credential: { name: "envoy.http.injected_credentials.generic", typed_config: credential },
                  },
                },
                {
                  name: "envoy.filters.http.upstream_codec",
                  typed_config: { "@type": `${TYPE}.filters.http.upstream_codec.v3.UpstreamCodec` },
                },
              ],
            },
          },
          transport_socket: {
            name: "envoy.transport_sockets.tls",
            typed_config: {
              "@type": `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
              sni: "localhost",
              common_tls_context: {
                tls_params: {
                  ecdh_curves: ["X25519MLKEM768", "X25519", "P-256"],
                  tls_minimum_protocol_version: "TLSv1_3",
                  tls_maximum_protocol_version: "TLSv1_3",
                },
                validation_context: {
                  trusted_ca: { filename: rootFile },
                  match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "localhost" } }],
                },
              },
            },
          },
        },
      ],
    },
  };
}
