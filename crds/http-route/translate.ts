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
import { type Backend, type KnownServices, routesOf } from "./attachment.ts";
import { type ForwardingShare, sharesOf } from "./backends.ts";
import { rank, type RankedMatch } from "./precedence.ts";
import { namespaceOf, type ServicePortAddress } from "./rules.ts";
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
 * port are left aside. Without any, requests go to the service itself; with some, what none of their rules matches is
 * answered with 404, as the Gateway API has it.
 */
export function translateServicePort(
  port: ServicePortAddress,
  routes: readonly HttpRoute[],
  services: KnownServices,
  clusterName: ClusterName,
): Route[] {
  const applying = routesOf(port, routes, services);
  const everything = { pathSpecifier: { case: "prefix", value: "/" } } as const;
  const key = `${port.namespace}/${port.service}/${port.port}`;
  if (applying.length === 0) {
    const action: RouteActionInit = { clusterSpecifier: { case: "cluster", value: clusterName(port) }, timeout: duration(0) };
    return [create(RouteSchema, { name: `default/${key}`, match: everything, action: { case: "route", value: action } })];
  }
  const unmatched: RouteInit = {
    name: `no-rule/${key}`,
    match: everything,
    action: {
      case: "directResponse",
      value: { status: 404, body: { specifier: { case: "inlineString", value: "no rule of the service's HTTPRoutes matches\n" } } },
    },
  };
  return [...rank(applying).flatMap((ranked) => translateMatch(ranked, port, services, clusterName)), create(RouteSchema, unmatched)];
}

function translateMatch(ranked: RankedMatch, port: ServicePortAddress, services: KnownServices, clusterName: ClusterName): Route[] {
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
          ? { case: "route", value: forward(ranked, placed, services, clusterName) }
          : { case: "redirect", value: redirectAction(redirect, placed, port) },
    }),
  );
}

function forward({ route, rule }: RankedMatch, placed: PlacedMatch, services: KnownServices, clusterName: ClusterName): RouteActionInit {
  const shares = sharesOf(rule, namespaceOf(route), services);
  return {
    ...clustersOf(shares, clusterName),
    ...rewrittenHost(rule.filters),
    ...rewrittenPath(placed),
    requestMirrorPolicies: mirrorPolicies(rule.filters, namespaceOf(route), services, clusterName),
    timeout: duration(rule.requestTimeout),
    // There are no retries: the policy carries nothing but the limit of the one try.
    ...(rule.backendRequestTimeout === 0 ? {} : { retryPolicy: { perTryTimeout: duration(rule.backendRequestTimeout) } }),
  };
}

/**
 * One cluster as such; several, or one with settings of its own, by weight. A dangling backend is a cluster that does not
 * exist: Envoy answers its share with 500, the details `cluster_not_found`, and a header that names it.
 */
function clustersOf(
  shares: readonly ForwardingShare[],
  clusterName: ClusterName,
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
    ...(dangling ? { clusterNotFoundResponseCode: RouteAction_ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR } : {}),
  };
}

function nameOf(backend: Backend, clusterName: ClusterName): string {
  return backend.kind === "resolved" ? clusterName(backend.port) : backend.name;
}
