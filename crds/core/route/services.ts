/** What the routes of a mesh speak of: ports of services, and what is known of them. */

/** A service port by name: what is called, and what requests are sent to. */
export interface ServicePortAddress {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
}

export function isSamePort(a: ServicePortAddress, b: ServicePortAddress): boolean {
  return a.namespace === b.namespace && a.service === b.service && a.port === b.port;
}

/** The Gateway API's own group: that of every route. */
export const GATEWAY_API_GROUP = "gateway.networking.k8s.io";
export const GATEWAY_API_VERSION = `${GATEWAY_API_GROUP}/v1`;

/** On one service port the first kind in this list that has a route there applies, and the others do not (GEP-1294). */
export const ROUTE_KINDS = ["GRPCRoute", "HTTPRoute", "TLSRoute", "TCPRoute"] as const;
export type RouteKind = (typeof ROUTE_KINDS)[number];

/** What the callers of a port speak, as far as routes tell it apart. */
export type RoutedProtocol = "HTTP" | "TCP";

export function protocolOfRoutes(kind: RouteKind): RoutedProtocol {
  return kind === "GRPCRoute" || kind === "HTTPRoute" ? "HTTP" : "TCP";
}

export interface KnownServicePort {
  readonly number: number;
  readonly name?: string | undefined;
  readonly protocol: RoutedProtocol;
}

/** Who refers to something in another namespace. */
export interface RouteReferrer {
  readonly kind: RouteKind;
  readonly namespace: string;
}

/** The services that exist, and what else a route has to know of its surroundings. */
export interface KnownServices {
  /** The ports of a service, or undefined when there is no such service. */
  portsOf(namespace: string, service: string): readonly KnownServicePort[] | undefined;
  /** Whether a ReferenceGrant in the service's namespace lets the referrer send requests to it. */
  permits(from: RouteReferrer, to: { readonly namespace: string; readonly service: string }): boolean;
  /**
   * The kinds of route that name the port as their parent, for the callers of the `consumer` namespace alone or, without one,
   * for everybody.
   */
  kindsOn(port: ServicePortAddress, consumer: string | undefined): ReadonlySet<RouteKind>;
}
