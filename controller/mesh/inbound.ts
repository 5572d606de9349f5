/**
 * Assembles what the kinds contribute into the routes and extensions of a workload's inbound ports: every policy is in
 * them, and none in a listener (inbound-listener.ts).
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { InboundHttpContribution, PerRoute } from "../../crds/core/contribution.ts";
import {
  FilterConfigSchema,
  RouteMatch_GrpcRouteMatchOptionsSchema,
  type RouteMatch,
  RouteMatchSchema,
  type RouteSchema,
} from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema, type RouteConfiguration } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { TypedExtensionConfigSchema, type TypedExtensionConfig } from "../../xds-server/gen/envoy/config/core/v3/extension_pb.js";
import { HeaderMutationPerRouteSchema } from "../../xds-server/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js";
import { JwtAuthenticationSchema } from "../../xds-server/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { TcpProxySchema, UpstreamConnectMode } from "../../xds-server/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { tcpLog } from "../../xds-server/envoy/access-log.ts";
import { any } from "../../xds-server/envoy/any.ts";
import { headerMatches } from "../../xds-server/envoy/header-match.ts";
import { JWT_EXTENSION } from "../../xds-server/envoy/http-connection.ts";
import { HTTP_FILTER_ORDER } from "../../xds-server/envoy/http-filter-order.ts";
import type { WorkloadPort } from "../model/workload.ts";
import { type AccessDecision, httpAccess, NO_ACCESS_CHECK, refusesNobody, tcpAccess } from "./rbac.ts";

type Route = MessageInitShape<typeof RouteSchema>;

/** The name of an inbound port's listener, routes and application cluster: a sidecar has one workload, so the port is enough. */
export function inboundName(port: number): string {
  return `inbound/${port}`;
}

/** The name of the routes of a port's tunnels: they have the port's name unless requests that are no tunnels come there too. */
export function tunnelName(port: WorkloadPort): string {
  return port.detected === true ? `${inboundName(port.number)}/tunnel` : inboundName(port.number);
}

/** The application cluster for HTTP/2 requests to a port that speaks HTTP/1 otherwise. */
export function h2cName(port: number): string {
  return `${inboundName(port)}/h2c`;
}

/** The ECDS resources of a TCP port, in the order of their filters. */
export function tcpExtensionNames(port: number): {
  readonly deny: string;
  readonly allow: string;
  readonly access: string;
  readonly proxy: string;
} {
  return { deny: `tcp-deny/${port}`, allow: `tcp-allow/${port}`, access: `tcp-access/${port}`, proxy: `tcp-proxy/${port}` };
}

export interface InboundHttpInput {
  readonly port: number;
  /** Nobody declared which HTTP the application speaks: gRPC reaches it over HTTP/2, everything else over HTTP/1. */
  readonly detected?: boolean;
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
  const toApplication = (cluster: string): NonNullable<Route["action"]> => ({
    case: "route",
    value: {
      clusterSpecifier: { case: "cluster", value: cluster },
      // The caller's side decides how long to wait; a stream may live as long as it likes.
      timeout: { seconds: 0n, nanos: 0 },
    },
  });
  const forwarding = (route: { readonly name: string; readonly match: RouteMatch; readonly perRoute?: PerRoute }): Route[] => {
    const { name, match, perRoute = {} } = route;
    const typedPerFilterConfig = inFilterOrder(perRoute);
    const plain = { name, match, action: toApplication(inboundName(input.port)), typedPerFilterConfig };
    if (input.detected !== true) return [plain];
    const grpc = create(RouteMatchSchema, { ...match, grpc: create(RouteMatch_GrpcRouteMatchOptionsSchema) });
    return [{ name, match: grpc, action: toApplication(h2cName(input.port)), typedPerFilterConfig }, plain];
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
          ...MALFORMED_ROUTES,
          ...contributions.flatMap((contribution) => contribution.variants ?? []).flatMap(forwarding),
          ...forwarding({ name: "application", match: EVERY_PATH }),
        ],
      },
    ],
  });
}

const EVERY_PATH = create(RouteMatchSchema, { pathSpecifier: { case: "prefix", value: "/" } });

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
 * Routes of requests that mean one thing to a policy and another to an application, first in every virtual host. They are
 * answered with every filter off, since they never reach the application.
 */
const MALFORMED_ROUTES: readonly Route[] = [
  // HTTP/2 lets a method in lower case through, and a policy about GET says nothing about get.
  malformedRoute("method", { pathSpecifier: { case: "prefix", value: "/" }, headers: [headerMatches(":method", ".*[a-z].*")] }),
  // Envoy decodes %2e%2e;x to ..;x, and a server that cuts path parameters off goes up there (decision 017).
  malformedRoute("path", { pathSpecifier: { case: "safeRegex", value: { regex: ".*/\\.\\.?;.*" } } }),
];

function malformedRoute(what: "method" | "path", match: MessageInitShape<typeof RouteMatchSchema>): Route {
  const off = Object.fromEntries(HTTP_FILTER_ORDER.filter((name) => name !== "router" && name !== "rbac").map((name) => [name, OFF]));
  return {
    name: `malformed-${what}`,
    metadata: { filterMetadata: { seawall: { policy: `malformed-${what}` } } },
    match,
    action: { case: "directResponse", value: { status: 400, body: { specifier: { case: "inlineString", value: `malformed ${what}\n` } } } },
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
export function tunnelRoutes(port: WorkloadPort, access: AccessDecision): RouteConfiguration {
  const name = tunnelName(port);
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
                clusterSpecifier: { case: "cluster", value: inboundName(port.number) },
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
