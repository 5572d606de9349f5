/**
 * The Envoy routes of one service port. They live in the virtual host that stands for the port in every caller's outbound
 * route table, so what a request is matched against is only what the caller's sidecar sees: the canonical path, and the
 * headers that the application sent.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Route,
  RouteAction_ClusterNotFoundResponseCode,
  type RouteActionSchema,
  RouteSchema,
} from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { routesOf } from "../core/route/attachment.ts";
import type { Backend } from "../core/route/backend.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import { type ForwardingShare, sharesOf } from "./backends.ts";
import { rank, type RuleMatch } from "./precedence.ts";
import type { RouteRule } from "./rules.ts";
import type { HttpRoute } from "./schema.ts";
import {
  duration,
  headerChanges,
  mirrorPolicies,
  redirectAction,
  rewrittenHost,
  rewrittenPath,
  UNRESOLVED_BACKEND_HEADER,
} from "./translate-filter.ts";
import { type PlacedMatch, placeMatch } from "./translate-match.ts";

type RouteInit = MessageInitShape<typeof RouteSchema>;
type RouteActionInit = MessageInitShape<typeof RouteActionSchema>;

/** The name of the Envoy cluster of a service port. */
export type ClusterName = (port: ServicePortAddress) => string;

/**
 * Routes in the order in which Envoy must try them; never empty. `routes` must be valid; those that do not apply to the
 * port, for the callers of the `consumer` namespace or for everybody, are left aside. Without any, requests go to the
 * service itself; with some, what none of their rules matches is answered with 404, as the Gateway API has it.
 */
export function translateServicePort(
  port: ServicePortAddress,
  routes: readonly HttpRoute[],
  services: KnownServices,
  clusterName: ClusterName,
  consumer?: string,
): Route[] {
  const applying = routesOf(port, routes, services, consumer);
  if (applying.length === 0) return [unroutedRoute(port, clusterName)];
  return translateRanked(rank(applying), "HTTPRoutes", port, services, clusterName);
}

const EVERYTHING = { pathSpecifier: { case: "prefix", value: "/" } } as const;

function keyOf(port: ServicePortAddress): string {
  return `${port.namespace}/${port.service}/${port.port}`;
}

/** The route of a port that no HTTPRoute and no GRPCRoute is for: straight to the service. */
export function unroutedRoute(port: ServicePortAddress, clusterName: ClusterName): Route {
  const action: RouteActionInit = { clusterSpecifier: { case: "cluster", value: clusterName(port) }, timeout: duration(0) };
  return create(RouteSchema, { name: `default/${keyOf(port)}`, match: EVERYTHING, action: { case: "route", value: action } });
}

/** The routes of matches that are in order, and a last one that refuses the rest. `routes` is what the refusal calls them. */
export function translateRanked(
  ranked: readonly RuleMatch[],
  routes: string,
  port: ServicePortAddress,
  services: KnownServices,
  clusterName: ClusterName,
): Route[] {
  const unmatched: RouteInit = {
    name: `no-rule/${keyOf(port)}`,
    match: EVERYTHING,
    action: {
      case: "directResponse",
      value: { status: 404, body: { specifier: { case: "inlineString", value: `no rule of the service's ${routes} matches\n` } } },
    },
  };
  return [...ranked.flatMap((match) => translateMatch(match, port, services, clusterName)), create(RouteSchema, unmatched)];
}

function translateMatch(ranked: RuleMatch, port: ServicePortAddress, services: KnownServices, clusterName: ClusterName): Route[] {
  const { rule } = ranked;
  const redirect = rule.filters.find((filter) => filter.requestRedirect !== undefined)?.requestRedirect;
  const changes = headerChanges(rule.filters);
  return placeMatch(ranked.match, rule.filters).map((placed) =>
    create(RouteSchema, {
      name: rule.name,
      match: placed.match,
      ...changes,
      action:
        redirect === undefined
          ? { case: "route", value: forward(rule, placed, services, clusterName) }
          : { case: "redirect", value: redirectAction(redirect, placed, port) },
    }),
  );
}

function forward(rule: RouteRule, placed: PlacedMatch, services: KnownServices, clusterName: ClusterName): RouteActionInit {
  const shares = sharesOf(rule, services);
  return {
    ...clustersOf(shares, clusterName, UNRESOLVED_STATUS[rule.origin.kind === "GRPCRoute" ? "GRPC" : "HTTP"]),
    ...rewrittenHost(rule.filters),
    ...rewrittenPath(placed),
    requestMirrorPolicies: mirrorPolicies(rule, services, clusterName),
    timeout: duration(rule.requestTimeout),
    // There are no retries: the policy carries nothing but the limit of the one try.
    ...(rule.backendRequestTimeout === 0 ? {} : { retryPolicy: { perTryTimeout: duration(rule.backendRequestTimeout) } }),
  };
}

/** The Gateway API's answer for a share that cannot be forwarded: 500, and for gRPC UNAVAILABLE, which Envoy makes of 503. */
const UNRESOLVED_STATUS = {
  HTTP: RouteAction_ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR,
  GRPC: RouteAction_ClusterNotFoundResponseCode.SERVICE_UNAVAILABLE,
} as const;

/**
 * One cluster as such; several, or one with settings of its own, by weight. A dangling backend is a cluster that does not
 * exist: Envoy answers its share with 500 (gRPC: UNAVAILABLE), the details `cluster_not_found`, and a header that names it.
 */
function clustersOf(
  shares: readonly ForwardingShare[],
  clusterName: ClusterName,
  unresolvedStatus: RouteAction_ClusterNotFoundResponseCode,
): Pick<RouteActionInit, "clusterSpecifier" | "clusterNotFoundResponseCode"> {
  const [only] = shares;
  if (only !== undefined && shares.length === 1 && only.backend.kind === "resolved" && only.filters.length === 0) {
    return { clusterSpecifier: { case: "cluster", value: clusterName(only.backend.port) } };
  }
  const dangling = shares.some((share) => share.backend.kind === "dangling");
  return {
    clusterSpecifier: {
      case: "weightedClusters",
      value: {
        clusters: shares.map(({ backend, weight, filters }) => ({
          name: nameOf(backend, clusterName),
          weight,
          ...(backend.kind === "resolved"
            ? headerChanges(filters)
            : { responseHeadersToAdd: [{ header: { key: UNRESOLVED_BACKEND_HEADER, value: backend.name } }] }),
        })),
      },
    },
    ...(dangling ? { clusterNotFoundResponseCode: unresolvedStatus } : {}),
  };
}

function nameOf(backend: Backend, clusterName: ClusterName): string {
  return backend.kind === "resolved" ? clusterName(backend.port) : backend.name;
}
