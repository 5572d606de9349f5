/**
 * Which service ports a route applies to. A route whose parent is in its own namespace is the producer's: it applies to all
 * callers. One whose parent is in another namespace is a consumer's: it applies to the callers of its own namespace alone,
 * and there it stands in for all of the producer's (GEP-1294).
 */
import type { AnyRoute, RouteParentRef } from "./schema.ts";
import { isSamePort, type KnownServices, protocolOfRoutes, ROUTE_KINDS, type RouteKind, type ServicePortAddress } from "./services.ts";

export interface AttachedPort extends ServicePortAddress {
  /** The namespace whose callers the route is for; undefined: everybody. */
  readonly consumer?: string;
}

export type Attachment =
  | { readonly kind: "attached"; readonly ports: readonly AttachedPort[] }
  | { readonly kind: "refused"; readonly reason: "NoMatchingParent" | "Conflicted"; readonly message: string }
  /** The parent is another controller's business: Seawall writes no status for it. */
  | { readonly kind: "foreign" };

export function attach(route: AnyRoute, parent: RouteParentRef, services: KnownServices): Attachment {
  const matching = portsOfParent(route, parent, services);
  if (matching.kind !== "attached") return matching;
  const winners = new Map(matching.ports.map((port) => [port, overrulingKind(route.kind, port, services)]));
  const ports = matching.ports.filter((port) => winners.get(port) === undefined);
  if (ports.length > 0) return { kind: "attached", ports };
  const winner = [...winners.values()].find((kind) => kind !== undefined) ?? route.kind;
  const message = `a ${winner} applies there, which goes before every ${route.kind}`;
  return { kind: "refused", reason: "Conflicted", message };
}

/** The ports that the parent names, whatever other routes are there. */
export function portsOfParent(route: AnyRoute, parent: RouteParentRef, services: Pick<KnownServices, "portsOf">): Attachment {
  if (!isServiceParent(parent)) return { kind: "foreign" };
  const own = namespaceOf(route);
  const namespace = parent.namespace ?? own;
  const what = `Service ${namespace}/${parent.name}`;
  const refused = (message: string): Attachment => ({ kind: "refused", reason: "NoMatchingParent", message });
  const known = services.portsOf(namespace, parent.name);
  if (known === undefined) return refused(`there is no ${what}`);
  const named = known.filter((port) => (parent.port ?? port.number) === port.number && (parent.sectionName ?? port.name) === port.name);
  if (named.length === 0) return refused(`${what} has no such port`);
  const protocol = protocolOfRoutes(route.kind);
  const spoken = named.filter((port) => port.protocol === protocol);
  if (spoken.length === 0) return refused(SPEAKS_ANOTHER[protocol](what));
  const consumer = namespace === own ? {} : { consumer: own };
  return { kind: "attached", ports: spoken.map((port) => ({ namespace, service: parent.name, port: port.number, ...consumer })) };
}

const SPEAKS_ANOTHER = {
  HTTP: (what: string) => `${what} speaks no HTTP there`,
  TCP: (what: string) => `${what} speaks HTTP there: use an HTTPRoute, or declare the port's appProtocol as tcp or tls`,
} as const;

function overrulingKind(kind: RouteKind, port: AttachedPort, services: KnownServices): RouteKind | undefined {
  const there = services.kindsOn(port, port.consumer);
  return ROUTE_KINDS.slice(0, ROUTE_KINDS.indexOf(kind)).find((other) => there.has(other));
}

/** A reference to a Service says `group: ""`: what is absent the API server reads as the Gateway API's own group. */
export function isServiceParent(parent: RouteParentRef): boolean {
  return parent.group === "" && parent.kind === "Service";
}

export function namespaceOf(route: Pick<AnyRoute, "metadata">): string {
  return route.metadata.namespace ?? "default";
}

/** Every service port that the route applies to, each once. */
export function attachedPorts(route: AnyRoute, services: KnownServices): readonly AttachedPort[] {
  const ports = (route.spec.parentRefs ?? []).flatMap((parent) => {
    const attachment = attach(route, parent, services);
    return attachment.kind === "attached" ? attachment.ports : [];
  });
  return ports.filter((port, index) => ports.findIndex((other) => isSamePort(other, port)) === index);
}

/** Those of `routes` that apply to the service port for the callers of the `consumer` namespace alone or, without one, for everybody. */
export function routesOf<Route extends AnyRoute>(
  port: ServicePortAddress,
  routes: readonly Route[],
  services: KnownServices,
  consumer?: string,
): readonly Route[] {
  return routes.filter((route) => attachedPorts(route, services).some((at) => isSamePort(at, port) && at.consumer === consumer));
}

/** Those that a caller in the namespace meets: its own namespace's if there are any, else the producer's. */
export function routesForCaller<Route extends AnyRoute>(
  port: ServicePortAddress,
  routes: readonly Route[],
  services: KnownServices,
  callerNamespace: string,
): readonly Route[] {
  const own = routesOf(port, routes, services, callerNamespace);
  return own.length > 0 ? own : routesOf(port, routes, services);
}
