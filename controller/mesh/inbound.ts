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
import { TcpProxySchema, UpstreamConnectMode } from "../../xds-server/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { inboundHttpLog, tcpLog } from "../../xds-server/envoy/access-log.ts";
import { any, typeUrl } from "../../xds-server/envoy/any.ts";
import { FROM_ADS } from "../../xds-server/envoy/discovery.ts";
import { headerMatches } from "../../xds-server/envoy/header-match.ts";
import { inboundHttpConnectionManager, JWT_EXTENSION } from "../../xds-server/envoy/http-connection.ts";
import { HTTP_FILTER_ORDER } from "../../xds-server/envoy/http-filter-order.ts";
import { inboundListener, networkFilter } from "../../xds-server/envoy/listener.ts";
import { downstreamTls, MESH_ALPN, MESH_TUNNEL_ALPN, type TlsSettings } from "../../xds-server/envoy/tls.ts";
import type { Workload, WorkloadPort } from "../model/workload.ts";
import { type AccessDecision, httpAccess, NO_ACCESS_CHECK, refusesNobody, tcpAccess } from "./rbac.ts";

type Route = MessageInitShape<typeof RouteSchema>;

/** The name of an inbound port's listener, routes and application cluster: a sidecar has one workload, so the port is enough. */
export function inboundName(port: number): string {
  return `inbound/${port}`;
}

/** The ECDS resources of a TCP port, in the order of their filters. */
function tcpExtensionNames(port: number): {
  readonly deny: string;
  readonly allow: string;
  readonly access: string;
  readonly proxy: string;
} {
  return { deny: `tcp-deny/${port}`, allow: `tcp-allow/${port}`, access: `tcp-access/${port}`, proxy: `tcp-proxy/${port}` };
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
  const tls = (...alpn: string[]): Any => downstreamTls(input.tls, peers, alpn);
  const http = [
    networkFilter(
      "http",
      inboundHttpConnectionManager({
        routeConfigName: name,
        accessLog: inboundHttpLog(workload),
        limitHeadersLua: input.limitHeadersLua,
      }),
    ),
  ];
  if (input.port.protocol !== "tcp") {
    const mesh = [{ name: "mesh", alpn: MESH_ALPN, tls: tls("h2", "http/1.1"), filters: http }];
    return toBinary(ListenerSchema, inboundListener({ name, mesh, plaintext: http }));
  }
  const bytes = byteFilters(input.port.number);
  const mesh = [
    { name: "tunnel", alpn: MESH_TUNNEL_ALPN, tls: tls("h2"), filters: http },
    { name: "mesh", alpn: MESH_ALPN, tls: tls(MESH_ALPN), filters: bytes },
  ];
  return toBinary(ListenerSchema, inboundListener({ name, mesh, plaintext: bytes }));
}

/** The filters of a connection that is no tunnel, all by ECDS: how it may reach the application is itself a matter of policy. */
function byteFilters(port: number): ReturnType<typeof networkFilter>[] {
  const names = tcpExtensionNames(port);
  const byDiscovery = (name: string, type: string): ReturnType<typeof networkFilter> => ({
    name,
    configType: { case: "configDiscovery", value: { configSource: FROM_ADS, typeUrls: [type] } },
  });
  const rbac = typeUrl(NetworkRbacSchema);
  return [
    byDiscovery(names.deny, rbac),
    byDiscovery(names.allow, rbac),
    byDiscovery(names.access, rbac),
    byDiscovery(names.proxy, typeUrl(TcpProxySchema)),
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

/**
 * The tunnels of a TCP port. Envoy judges a byte stream when its client's first byte arrives, and by then a server that
 * speaks first has spoken. A tunnel is a request: it is judged, and named in the log, before the application is reached.
 */
export function tunnelRoutes(port: number, access: AccessDecision): RouteConfiguration {
  const name = inboundName(port);
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: [
      {
        name,
        domains: ["*"],
        typedPerFilterConfig: inFilterOrder(httpAccess(access)),
        routes: [
          {
            name: "tunnel",
            match: { pathSpecifier: { case: "connectMatcher", value: {} } },
            action: {
              case: "route",
              value: {
                clusterSpecifier: { case: "cluster", value: name },
                timeout: { seconds: 0n, nanos: 0 },
                upgradeConfigs: [{ upgradeType: "CONNECT", connectConfig: {} }],
              },
            },
          },
        ],
      },
    ],
  });
}

/** Bytes that a client may send before the application is reached. */
const EARLY_BYTES = 16_384;

/**
 * What a connection that is no tunnel meets: the access rules, and the way to the application. Where anybody could be
 * refused the application is reached only when the client has spoken and was judged, so that its greeting reaches nobody
 * who is not let in; a server that speaks first is then reached by mesh callers alone.
 */
export function tcpExtensions(port: number, workload: string, access: AccessDecision): readonly TypedExtensionConfig[] {
  const names = tcpExtensionNames(port);
  const { deny, allow, access: decision } = tcpAccess(access);
  const extension = (name: string, typedConfig: Any): TypedExtensionConfig => create(TypedExtensionConfigSchema, { name, typedConfig });
  const proxy = any(TcpProxySchema, {
    statPrefix: "inbound",
    clusterSpecifier: { case: "cluster", value: inboundName(port) },
    idleTimeout: { seconds: 0n, nanos: 0 },
    accessLog: [tcpLog("inbound", workload)],
    ...(refusesNobody(access) ? {} : { upstreamConnectMode: UpstreamConnectMode.ON_DOWNSTREAM_DATA, maxEarlyDataBytes: EARLY_BYTES }),
  });
  return [extension(names.deny, deny), extension(names.allow, allow), extension(names.access, decision), extension(names.proxy, proxy)];
}
