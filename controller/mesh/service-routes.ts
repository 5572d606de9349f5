/**
 * The routes of every service port: the Gateway API's where one attaches, else straight to the service. Each port has those of
 * its producer, which all callers share, and a variant for every namespace that has routes of its own for it, which stands
 * in for them there.
 */
import { attachedPorts } from "../../crds/core/route/attachment.ts";
import { isSamePort, type KnownServices } from "../../crds/core/route/services.ts";
import { type MeshRoute, reachedPortsOf } from "../../crds/routes.ts";
import { translateGrpcPort } from "../../crds/grpc-route/translate.ts";
import { translateServicePort } from "../../crds/http-route/translate.ts";
import { type TcpChain, translateTcpPort } from "../../crds/tcp-route/translate.ts";
import { translateTlsPort } from "../../crds/tls-route/translate.ts";
import type { Route } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import type { Collection, TransformContext } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { policyProtocol } from "../model/protocol.ts";
import { outboundName, type Service, servicePortKey, type ServicePortRef } from "../model/service.ts";
import type { RouteWorld } from "./route-world.ts";
import type { ServicePortOf } from "./service-ports.ts";

export type { TcpChain } from "../../crds/tcp-route/translate.ts";

export interface ServiceRoutes {
  readonly ref: ServicePortRef;
  /** In Envoy's order. */
  readonly routes: readonly Route[];
  /** The service ports that the routes lead to, besides the service's own. */
  readonly backends: readonly ServicePortRef[];
}

export interface TcpServiceRoutes {
  readonly ref: ServicePortRef;
  /** Never empty; at most one has no server names, and no name stands in two. */
  readonly chains: readonly TcpChain[];
  /** The service ports that the routes lead to, besides the service's own. */
  readonly backends: readonly ServicePortRef[];
}

export interface RouteTables {
  /** By service port key: every HTTP port. */
  readonly http: Collection<string, ServiceRoutes>;
  /** By {@link consumerKey}: replaces the former for the callers of one namespace. */
  readonly httpConsumer: Collection<string, ServiceRoutes>;
  /** By service port key: the TCP ports that a route is for. */
  readonly tcp: Collection<string, TcpServiceRoutes>;
  /** By {@link consumerKey}: replaces the former for the callers of one namespace. */
  readonly tcpConsumer: Collection<string, TcpServiceRoutes>;
}

/** The routes of a service port for the callers of one namespace. */
export function consumerKey(namespace: string, ref: ServicePortRef): string {
  return `${namespace}|${servicePortKey(ref)}`;
}

/** One of the ports of a service for the callers of one namespace that has routes of its own for the service. */
interface ConsumedPort {
  readonly consumer: string;
  readonly port: ServicePortOf;
}

export function routeTables(
  graph: Graph,
  world: RouteWorld,
  services: Collection<string, Service>,
  ports: Collection<string, ServicePortOf>,
): RouteTables {
  const isHttp = ({ port }: ServicePortOf): boolean => policyProtocol(port.protocol) === "HTTP";

  const used = ({ ref }: ServicePortOf, known: KnownServices, context: TransformContext, consumer?: string): readonly MeshRoute[] =>
    applying(ref, context.fetchIndex(world.byParent, `${ref.namespace}/${ref.service}`), known, consumer);

  const http = graph.derive("service-routes", ports, (port, _key, context): ServiceRoutes | undefined => {
    const known = world.knownServices(context);
    return isHttp(port) ? httpRoutes(port.ref, used(port, known, context), known) : undefined;
  });
  const tcp = graph.derive("tcp-service-routes", ports, (port, _key, context): TcpServiceRoutes | undefined => {
    const known = world.knownServices(context);
    return isHttp(port) ? undefined : tcpRoutes(port.ref, used(port, known, context), known);
  });

  // Who has routes of its own for a service: `<consumer>|<namespace>/<service>`.
  const byConsumer = graph.index("routes-by-consumer", world.routes, (route) => {
    const own = route.metadata.namespace ?? "default";
    const others = (route.spec.parentRefs ?? []).filter(({ namespace = own }) => namespace !== own);
    return others.map(({ namespace = own, name }) => `${own}|${namespace}/${name}`);
  });
  const consumed = graph.deriveMany(
    "consumed-ports",
    graph.groups("consumed-services", byConsumer),
    (_routes, key, context): Iterable<readonly [string, ConsumedPort]> => {
      const [consumer = "", service = ""] = key.split("|");
      const found = context.fetch(services, service)?.ports.flatMap(({ number }) => {
        const [namespace = "", name = ""] = service.split("/");
        return context.fetch(ports, servicePortKey({ namespace, service: name, port: number })) ?? [];
      });
      return (found ?? []).map((port) => [consumerKey(consumer, port.ref), { consumer, port }]);
    },
  );
  const httpConsumer = graph.derive("consumer-routes", consumed, ({ consumer, port }, _key, context): ServiceRoutes | undefined => {
    const known = world.knownServices(context);
    const routes = isHttp(port) ? used(port, known, context, consumer) : [];
    return routes.length === 0 ? undefined : httpRoutes(port.ref, routes, known, consumer);
  });
  const tcpConsumer = graph.derive("tcp-consumer-routes", consumed, ({ consumer, port }, _key, context): TcpServiceRoutes | undefined => {
    const known = world.knownServices(context);
    return isHttp(port) ? undefined : tcpRoutes(port.ref, used(port, known, context, consumer), known, consumer);
  });
  return { http, httpConsumer, tcp, tcpConsumer };
}

type RoutesOfKind<Kind extends MeshRoute["kind"]> = readonly Extract<MeshRoute, { kind: Kind }>[];

function ofKind<Kind extends MeshRoute["kind"]>(routes: readonly MeshRoute[], kind: Kind): RoutesOfKind<Kind> {
  return routes.filter((route): route is Extract<MeshRoute, { kind: Kind }> => route.kind === kind);
}

/** Those of `routes` that apply to the port, to the callers of the `consumer` namespace alone or to everybody. */
function applying(ref: ServicePortRef, routes: readonly MeshRoute[], known: KnownServices, consumer: string | undefined): MeshRoute[] {
  return routes.filter((route) => attachedPorts(route, known).some((port) => isSamePort(port, ref) && port.consumer === consumer));
}

function backendsOf(routes: readonly MeshRoute[], known: KnownServices): readonly ServicePortRef[] {
  const backends = routes.flatMap((route) => reachedPortsOf(route, known));
  return [...new Map(backends.map((ref) => [servicePortKey(ref), ref])).values()];
}

function httpRoutes(ref: ServicePortRef, routes: readonly MeshRoute[], known: KnownServices, consumer?: string): ServiceRoutes {
  const grpc = translateGrpcPort(ref, ofKind(routes, "GRPCRoute"), known, outboundName, consumer);
  const http = grpc.length > 0 ? grpc : translateServicePort(ref, ofKind(routes, "HTTPRoute"), known, outboundName, consumer);
  return { ref, routes: http, backends: backendsOf(routes, known) };
}

function tcpRoutes(
  ref: ServicePortRef,
  routes: readonly MeshRoute[],
  known: KnownServices,
  consumer?: string,
): TcpServiceRoutes | undefined {
  const tls = translateTlsPort(ref, ofKind(routes, "TLSRoute"), known, outboundName, consumer);
  const chains = tls.length > 0 ? tls : translateTcpPort(ref, ofKind(routes, "TCPRoute"), known, outboundName, consumer);
  return chains.length === 0 ? undefined : { ref, chains, backends: backendsOf(routes, known) };
}
