/**
 * Assembles what the kinds contribute into the inbound configuration of a workload. The listener is a function of the
 * workload's ports and TLS settings alone; every policy is in the routes and the extensions.
 */
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { InboundHttpContribution, PerRoute } from "../../crds/core/contribution.ts";
import { FilterConfigSchema, type RouteSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema, type RouteConfiguration } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { TypedExtensionConfigSchema, type TypedExtensionConfig } from "../../xds-server/gen/envoy/config/core/v3/extension_pb.js";
import { ListenerSchema } from "../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";
import { HeaderMutationPerRouteSchema } from "../../xds-server/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js";
import { JwtAuthenticationSchema } from "../../xds-server/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { RBACSchema as NetworkRbacSchema } from "../../xds-server/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js";
import { TcpProxySchema } from "../../xds-server/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { inboundHttpLog, tcpLog } from "../../xds-server/envoy/access-log.ts";
import { any, typeUrl } from "../../xds-server/envoy/any.ts";
import { FROM_ADS } from "../../xds-server/envoy/discovery.ts";
import { headerMatches } from "../../xds-server/envoy/header-match.ts";
import { inboundHttpConnectionManager, JWT_EXTENSION } from "../../xds-server/envoy/http-connection.ts";
import { HTTP_FILTER_ORDER } from "../../xds-server/envoy/http-filter-order.ts";
import { inboundListener, networkFilter } from "../../xds-server/envoy/listener.ts";
import { downstreamTls, MESH_ALPN, type TlsSettings } from "../../xds-server/envoy/tls.ts";
import type { Workload, WorkloadPort } from "../model/workload.ts";
import { type AccessDecision, httpAccess, NO_ACCESS_CHECK, tcpAccess } from "./rbac.ts";

type Route = MessageInitShape<typeof RouteSchema>;

/** The name of an inbound port's listener, routes and application cluster: a sidecar has one workload, so the port is enough. */
export function inboundName(port: number): string {
  return `inbound/${port}`;
}

/** The ECDS resources of a TCP port. */
export function tcpExtensionNames(port: number): { readonly deny: string; readonly access: string } {
  return { deny: `tcp-deny/${port}`, access: `tcp-access/${port}` };
}

export interface InboundListenerInput {
  readonly workload: Pick<Workload, "namespace" | "name">;
  readonly port: WorkloadPort;
  readonly trustDomain: string;
  readonly tls: TlsSettings;
  readonly limitHeadersLua: string;
}

/** The serialized listener of a port, but for its address. */
export function inboundListenerBytes(input: InboundListenerInput): Uint8Array {
  const name = inboundName(input.port.number);
  const workload = `${input.workload.namespace}/${input.workload.name}`;
  const peers = [`spiffe://${input.trustDomain}/`];
  const listener =
    input.port.protocol === "tcp"
      ? inboundListener({ name, tls: downstreamTls(input.tls, peers, [MESH_ALPN]), filters: tcpFilters(input.port.number, workload) })
      : inboundListener({
          name,
          tls: downstreamTls(input.tls, peers, ["h2", "http/1.1"]),
          filters: [
            networkFilter(
              "http",
              inboundHttpConnectionManager({
                routeConfigName: name,
                accessLog: inboundHttpLog(workload),
                limitHeadersLua: input.limitHeadersLua,
              }),
            ),
          ],
        });
  return toBinary(ListenerSchema, listener);
}

function tcpFilters(port: number, workload: string): ReturnType<typeof networkFilter>[] {
  const names = tcpExtensionNames(port);
  const byDiscovery = (name: string): ReturnType<typeof networkFilter> => ({
    name,
    configType: { case: "configDiscovery", value: { configSource: FROM_ADS, typeUrls: [typeUrl(NetworkRbacSchema)] } },
  });
  return [
    byDiscovery(names.deny),
    byDiscovery(names.access),
    networkFilter(
      "tcp",
      any(TcpProxySchema, {
        statPrefix: "inbound",
        clusterSpecifier: { case: "cluster", value: inboundName(port) },
        accessLog: [tcpLog("inbound", workload)],
      }),
    ),
  ];
}

export interface InboundHttpInput {
  readonly port: number;
  readonly access: AccessDecision;
  readonly contributions: readonly InboundHttpContribution[];
}

/** The routes of an inbound HTTP port: one virtual host that carries the policies of the port. */
export function inboundRoutes(input: InboundHttpInput): RouteConfiguration {
  const { contributions } = input;
  const perRoute: PerRoute = {
    ...stripHeaders(contributions),
    ...contributions.reduce<PerRoute>((all, contribution) => ({ ...all, ...contribution.perRoute }), {}),
    ...httpAccess(input.access),
  };
  const toApplication: Route["action"] = {
    case: "route",
    value: {
      clusterSpecifier: { case: "cluster", value: inboundName(input.port) },
      // The caller's side decides how long to wait; a stream may live as long as it likes.
      timeout: { seconds: 0n, nanos: 0 },
    },
  };
  return create(RouteConfigurationSchema, {
    name: inboundName(input.port),
    virtualHosts: [
      {
        name: inboundName(input.port),
        domains: ["*"],
        metadata: { filterMetadata: { seawall: { unproven: "denied", ...metadataOf(contributions) } } },
        typedPerFilterConfig: inFilterOrder(perRoute),
        routes: [
          badMethodRoute(),
          ...contributions
            .flatMap((contribution) => contribution.variants ?? [])
            .map((variant) => ({
              name: variant.name,
              match: variant.match,
              action: toApplication,
              typedPerFilterConfig: inFilterOrder(variant.perRoute),
            })),
          { name: "application", match: { pathSpecifier: { case: "prefix", value: "/" } }, action: toApplication },
        ],
      },
    ],
  });
}

function metadataOf(contributions: readonly InboundHttpContribution[]): Record<string, string> {
  const entries = contributions.flatMap((contribution) => Object.entries(contribution.metadata ?? {}));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function stripHeaders(contributions: readonly InboundHttpContribution[]): PerRoute {
  const names = [...new Set(contributions.flatMap((contribution) => contribution.stripRequestHeaders ?? []))].sort();
  if (names.length === 0) return {};
  return {
    "strip-headers": any(HeaderMutationPerRouteSchema, {
      mutations: { requestMutations: names.map((name) => ({ action: { case: "remove" as const, value: name } })) },
    }),
  };
}

/** Map entries are encoded in the order in which they stand: always the chain's, so that equal content is equal bytes. */
function inFilterOrder(perRoute: PerRoute): Record<string, Any> {
  const ordered: Record<string, Any> = {};
  for (const name of HTTP_FILTER_ORDER) {
    const config = perRoute[name];
    if (config !== undefined) ordered[name] = config;
  }
  return ordered;
}

const OFF = any(FilterConfigSchema, { disabled: true });

/**
 * HTTP/2 lets a method in lower case through, and a policy about GET says nothing about get: it is a malformed request,
 * answered here with every filter off, since it never reaches the application.
 */
function badMethodRoute(): Route {
  const off = Object.fromEntries(HTTP_FILTER_ORDER.filter((name) => name !== "router" && name !== "rbac").map((name) => [name, OFF]));
  return {
    name: "malformed-method",
    metadata: { filterMetadata: { seawall: { policy: "malformed-method" } } },
    match: {
      pathSpecifier: { case: "prefix", value: "/" },
      headers: [headerMatches(":method", ".*[a-z].*")],
    },
    action: { case: "directResponse", value: { status: 400, body: { specifier: { case: "inlineString", value: "malformed method\n" } } } },
    typedPerFilterConfig: { ...off, rbac: NO_ACCESS_CHECK },
  };
}

/** The workload's JWT providers. Always present, since a listener waits for every extension that it names. */
export function jwtExtension(contributions: readonly InboundHttpContribution[]): TypedExtensionConfig {
  const providers = contributions.flatMap((contribution) => Object.entries(contribution.jwtProviders ?? {}));
  const requirements = contributions.flatMap((contribution) => Object.entries(contribution.jwtRequirements ?? {}));
  return create(TypedExtensionConfigSchema, {
    name: JWT_EXTENSION,
    typedConfig: any(JwtAuthenticationSchema, {
      providers: Object.fromEntries(sortedByKey(providers)),
      requirementMap: Object.fromEntries(sortedByKey(requirements)),
    }),
  });
}

function sortedByKey<V>(entries: readonly (readonly [string, V])[]): readonly (readonly [string, V])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The access rules of a TCP port as its two extensions. */
export function tcpExtensions(port: number, access: AccessDecision): readonly TypedExtensionConfig[] {
  const names = tcpExtensionNames(port);
  const { deny, access: allow } = tcpAccess(access);
  return [
    create(TypedExtensionConfigSchema, { name: names.deny, typedConfig: deny }),
    create(TypedExtensionConfigSchema, { name: names.access, typedConfig: allow }),
  ];
}
