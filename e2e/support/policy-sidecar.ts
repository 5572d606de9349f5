/**
 * The inbound side of sidecars, as the control plane would configure them, but from contributions alone and without a
 * control plane: one real Envoy, with a plaintext and a mutual TLS listener for each scenario before one echo upstream.
 */
import { create } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { mkdtempSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CertificateAuthority } from "../../ca/authority.ts";
import type { Identity } from "../../ca/spiffe.ts";
import { StateFolder } from "../../ca/state-folder.ts";
import { inboundRoutes, jwtExtension } from "../../controller/mesh/inbound.ts";
import type { InboundHttpContribution } from "../../crds/core/contribution.ts";
import { LIMIT_HEADERS_LUA } from "../../crds/rate-limit-policy/index.ts";
import { inboundHttpLog } from "../../xds-server/envoy/access-log.ts";
import { inboundHttpConnectionManager } from "../../xds-server/envoy/http-connection.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { TypedExtensionConfigSchema } from "../../xds-server/gen/envoy/config/core/v3/extension_pb.js";
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { HttpConnectionManagerSchema } from "../../xds-server/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { endWithTests } from "./endings.ts";
import { type RunningEnvoy, startEnvoy } from "./envoy.ts";
import type { ClientTls, HostileRequest, HttpAnswer } from "./http-client.ts";
import { Http1Client } from "./http1-client.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

/** What a kind adds to a port, and whether an enforced Allow policy is among it: then what none permits is refused. */
export type PortContribution = InboundHttpContribution & { readonly closesPort?: boolean };

type Json = Record<string, unknown>;

export interface PolicySidecar {
  readonly envoy: RunningEnvoy;
  readonly upstream: Upstream;
  /** Sends one request to a scenario: with a client certificate when `as` is given, else in plaintext. */
  send(scenario: string, request: Partial<HostileRequest>, as?: Identity): Promise<HttpAnswer>;
  /** Where a scenario listens in plaintext, for clients of a test's own. */
  plainPort(scenario: string): Promise<number>;
  /** The access-log entry of the request that had this `x-request-id`. */
  logged(requestId: string): Promise<Json>;
  /** Replaces the routes of a scenario, as RDS would. Resolves when Envoy uses them. */
  update(scenario: string, contributions: readonly PortContribution[]): Promise<void>;
  stop(): Promise<void>;
}

export const TRUST_DOMAIN = "cluster.local";

/** Starts the sidecar. Everything that the contributions do not refuse reaches the upstream, unless one closes the port: the access default is Allow. */
export async function startPolicySidecar(scenarios: Readonly<Record<string, readonly PortContribution[]>>): Promise<PolicySidecar> {
  const folder = mkdtempSync(join(tmpdir(), "seawall-policy-"));
  const forget = endWithTests(async () => rm(folder, { recursive: true, force: true }));
  const authority = new CertificateAuthority({ store: StateFolder.open(join(folder, "ca"), "write"), trustDomain: TRUST_DOMAIN });
  const upstream = await startUpstream();
  for (const [name, contributions] of Object.entries(scenarios)) await writeRoutes(folder, name, contributions);
  const envoy = await startEnvoy({
    config: {
      node: { id: "sidecar", cluster: "test" },
      static_resources: {
        listeners: Object.entries(scenarios).flatMap(([name, contributions]) => [
          listener(`${name}/plain`, name, contributions, folder),
          listener(`${name}/mtls`, name, contributions, folder, serverTls(authority)),
        ]),
        clusters: [application(upstream)],
      },
    },
  });
  await envoy.waitReady();
  const tlsOf = clientTls(authority);
  const ports = new Map<string, Promise<number>>();
  const portOf = (name: string): Promise<number> => {
    const port = ports.get(name) ?? envoy.listenerPort(name);
    ports.set(name, port);
    return port;
  };
  return {
    envoy,
    upstream,
    async send(scenario, request, as) {
      const port = await portOf(`${scenario}/${as === undefined ? "plain" : "mtls"}`);
      using client = new Http1Client(as === undefined ? { port } : { port, tls: tlsOf(as) });
      return await client.request({ method: "GET", path: "/", authority: "orders", ...request });
    },
    plainPort: (scenario) => portOf(`${scenario}/plain`),
    async logged(requestId) {
      const line = await envoy.stdoutLines.waitFor((text) => text.includes(`"requestId":"${requestId}"`));
      return JSON.parse(line) as Json;
    },
    async update(scenario, contributions) {
      const updates = "rds.*update_success";
      const sum = (stats: ReadonlyMap<string, number>): number => [...stats.values()].reduce((all, value) => all + value, 0);
      const before = sum(await envoy.stats(updates));
      await writeRoutes(folder, scenario, contributions);
      await envoy.waitForStats(updates, (stats) => sum(stats) > before);
    },
    async stop() {
      await envoy.stop();
      await upstream.stop();
      forget();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const PORT = 8080;

function listener(
  name: string,
  scenario: string,
  contributions: readonly PortContribution[],
  folder: string,
  transportSocket?: Json,
): Json {
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      {
        filters: [{ name: "http", typed_config: connectionManager(scenario, contributions, folder) }],
        ...(transportSocket === undefined ? {} : { transport_socket: transportSocket }),
      },
    ],
  };
}

/** What the listener declares, with the routes and the extension that would come by xDS put in. */
function connectionManager(scenario: string, contributions: readonly PortContribution[], folder: string): Json {
  const declared = anyUnpack(
    inboundHttpConnectionManager({ routeConfigName: scenario, accessLog: inboundHttpLog(scenario), limitHeadersLua: LIMIT_HEADERS_LUA }),
    HttpConnectionManagerSchema,
  );
  if (declared === undefined) throw new Error("not a connection manager");
  const { http_filters: filters, ...rest } = envoyJson(HttpConnectionManagerSchema, declared) as Json & { http_filters: Json[] };
  const extension = jwtExtension(contributions);
  const jwt = envoyJson(TypedExtensionConfigSchema, create(TypedExtensionConfigSchema, extension))["typed_config"];
  return {
    "@type": `type.googleapis.com/${HttpConnectionManagerSchema.typeName}`,
    ...rest,
    rds: { route_config_name: `inbound/${PORT}`, config_source: fromFile(routesFile(folder, scenario)) },
    http_filters: filters.map(({ config_discovery: discovery, ...filter }) =>
      discovery === undefined ? filter : { ...filter, typed_config: jwt },
    ),
  };
}

const routesFile = (folder: string, scenario: string): string => join(folder, `${scenario}.json`);

function fromFile(path: string): Json {
  return { path_config_source: { path }, resource_api_version: "V3" };
}

/** Both listeners take their routes from one file, as both filter chains of a sidecar take them from one resource. */
async function writeRoutes(folder: string, scenario: string, contributions: readonly PortContribution[]): Promise<void> {
  const rules = contributions.flatMap(({ rbac }) => rbac ?? []);
  const closed = contributions.some(({ closesPort }) => closesPort === true);
  const access = { namespace: "shop", workload: scenario, rules, defaultAccess: "Allow", closed, closedInAudit: closed } as const;
  const routes = envoyJson(RouteConfigurationSchema, inboundRoutes({ port: PORT, access, contributions }));
  const resources = [{ "@type": `type.googleapis.com/${RouteConfigurationSchema.typeName}`, ...routes }];
  const file = routesFile(folder, scenario);
  await writeFile(`${file}.new`, JSON.stringify({ version_info: "1", resources }));
  await rename(`${file}.new`, file);
}

function application(upstream: Upstream): Json {
  const endpoint = { address: { socket_address: { address: upstream.address, port_value: upstream.port } } };
  const name = `inbound/${PORT}`;
  return {
    name,
    connect_timeout: "5s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
}

function serverTls(authority: CertificateAuthority): Json {
  const issued = authority.issue({ trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount: "orders" });
  return {
    name: "tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      require_client_certificate: true,
      common_tls_context: {
        tls_certificates: [{ certificate_chain: { inline_string: issued.chainPem }, private_key: { inline_string: issued.key.reveal() } }],
        validation_context: { trusted_ca: { inline_string: authority.trust.pem } },
      },
    },
  };
}

function clientTls(authority: CertificateAuthority): (identity: Identity) => ClientTls {
  const known = new Map<string, ClientTls>();
  return (identity) => {
    const name = JSON.stringify(identity);
    const tls = known.get(name) ?? freshTls(identity);
    known.set(name, tls);
    return tls;
  };
  function freshTls(identity: Identity): ClientTls {
    const issued = authority.issue(identity);
    return { ca: authority.trust.pem, cert: issued.chainPem, key: issued.key.reveal() };
  }
}
