/**
 * What a standalone pod has of its own: it binds its own address, so its listeners are its own, made of its workload's
 * by adding an address. Its outbound side is an explicit HTTP proxy and a loopback port for every TCP service.
 */
import { createHash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { applicationCluster } from "../../xds-server/envoy/cluster.ts";
import { listenerAddress } from "../../xds-server/envoy/listener.ts";
import { ClusterSchema } from "../../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ListenerSchema } from "../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import type { EncodedResource, Layer, ResourceId, Subscriber } from "../../xds-server/delta/feed.ts";
import { LIMIT_HEADERS_LUA } from "../../crds/rate-limit-policy/index.ts";
import { type Collection, SINGLETON } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { applicationPort } from "../model/pod.ts";
import { servicePortKey, type ServicePortRef } from "../model/service.ts";
import type { WorkloadPort } from "../model/workload.ts";
import { inboundListenerBytes } from "./inbound-listener.ts";
import { inboundName } from "./inbound.ts";
import type { MeshParts, PodConfigurations } from "./mesh-parts.ts";
import { visibleLayer } from "./outbound-resources.ts";
import {
  isTunnelled,
  OUTBOUND,
  outboundProxyListener,
  outboundRoutes,
  outboundTcpListener,
  serviceVirtualHost,
  virtualHostEntry,
} from "./outbound.ts";
import { type IdentifiedResource, resource, resourceId, sameResource, serializedResource, workloadLayer } from "./resources.ts";
import { consumerKey, type ServiceRoutes } from "./service-routes.ts";
import { identityOf } from "./visibility.ts";

export interface StandalonePods extends PodConfigurations {
  /** The loopback port of every TCP service port, the same at every pod, on the pod's own address. */
  readonly tcpPorts: Collection<string, number>;
}

interface TcpService {
  readonly ref: ServicePortRef;
  readonly tunnelled: boolean;
}

/** The loopback ports of TCP services: enough room that services seldom share a slot, and every slot has room for some. */
const FIRST_TCP_PORT = 20_000;
const SLOTS = 2_500;
const PORTS_PER_SLOT = 4;

/** A port's serialized listener, complete but for its address. */
interface PortListener {
  readonly port: WorkloadPort;
  readonly bytes: Uint8Array;
}

export function standalonePods(graph: Graph, parts: MeshParts): StandalonePods {
  const { inventory, settings, backends, inbound, outbound } = parts;
  const listenersOfWorkload = graph.derive(
    "inbound-listeners",
    inventory.workloads,
    (workload, key, context): readonly PortListener[] | undefined => {
      const trustDomain = context.fetch(settings, SINGLETON)?.trustDomain;
      const tls = context.fetch(inbound.tls, key);
      if (trustDomain === undefined || tls === undefined) return undefined;
      return workload.ports.flatMap((port, index): PortListener[] => {
        const portSettings = tls[index];
        if (portSettings === undefined) return [];
        const bytes = inboundListenerBytes({ workload, port, trustDomain, tls: portSettings, limitHeadersLua: LIMIT_HEADERS_LUA });
        return [{ port, bytes }];
      });
    },
  );
  const routes = workloadRoutes(graph, parts);
  const tcpServices = graph.derive("tcp-services", backends, (backend): TcpService | undefined =>
    backend.traffic === "bytes" ? { ref: backend.ref, tunnelled: isTunnelled(backend) } : undefined,
  );
  const tcpPorts = allocateTcpPorts(graph, tcpServices);
  const proxies = graph.derive("outbound-proxies", inventory.workloads, ({ namespace, name }) =>
    toBinary(ListenerSchema, outboundProxyListener(`${namespace}/${name}`)),
  );

  const podResources = graph.derive("pod-resources", inventory.pods, (pod, _key, context): readonly IdentifiedResource[] | undefined => {
    const workload = context.fetch(inventory.workloadOfPod, pod.key);
    const listeners = workload === undefined ? undefined : context.fetch(listenersOfWorkload, workload.key);
    const proxy = workload === undefined ? undefined : context.fetch(proxies, workload.key);
    if (workload === undefined || listeners === undefined || proxy === undefined) return undefined;
    const own: IdentifiedResource[] = [];
    const listen = (name: string, bytes: Uint8Array, port: number): void => {
      const address = toBinary(ListenerSchema, listenerAddress(pod.address, port));
      own.push(serializedResource(pod.key, ListenerSchema, name, Buffer.concat([bytes, address])));
    };
    for (const { port, bytes } of listeners) {
      const name = inboundName(port.number);
      listen(name, bytes, port.number);
      own.push(
        resource(pod.key, ClusterSchema, name, applicationCluster(name, "127.0.0.1", applicationPort(pod, port.number), port.protocol)),
      );
    }
    listen(OUTBOUND, proxy, pod.proxyPort);
    for (const ref of context.fetch(outbound.visible, identityOf(workload)) ?? []) {
      // Not the backend: its endpoints come and go, and no listener with them.
      const service = context.fetch(tcpServices, servicePortKey(ref));
      const loopback = context.fetch(tcpPorts, servicePortKey(ref));
      if (service === undefined || loopback === undefined) continue;
      const listener = outboundTcpListener(`${workload.namespace}/${workload.name}`, ref, service.tunnelled);
      listen(listener.name, toBinary(ListenerSchema, listener), loopback);
    }
    return own;
  });
  const resources = graph.deriveMany("pod-resources-by-id", podResources, (own) => own, { equal: sameResource });

  const layers = graph.deriveMany("pod-layers", podResources, (own, key, context): Iterable<readonly [string, Layer]> => {
    const layer = podLayer(key);
    const workload = context.fetch(inventory.workloadOfPod, key);
    const shared = workload === undefined ? [] : [resourceId(workload.key, RouteConfigurationSchema, OUTBOUND)];
    return [[layer, { key: layer, resources: new Set([...own.map(([id]) => id), ...shared]) }]];
  });
  const subscribers = graph.derive("subscribers", inventory.workloadOfPod, (workload, key): Subscriber => ({
    key,
    layers: [podLayer(key), workloadLayer(workload.key), visibleLayer(identityOf(workload))],
  }));
  return {
    resources: [resources, routes],
    layers,
    subscribers,
    tcpPorts,
  };
}

/** The virtual host of an HTTP service port as a serialized entry: for callers of its own namespace, and for all others. */
interface VirtualHosts {
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
}

/** Per workload the routes of its outbound proxy: a virtual host for every service that it sees. */
function workloadRoutes(graph: Graph, { inventory, routes, outbound }: MeshParts): Collection<ResourceId, EncodedResource> {
  const entryOf = ({ ref, routes: own }: ServiceRoutes, callerNamespace: string): Uint8Array =>
    virtualHostEntry(serviceVirtualHost(ref, callerNamespace, own));
  const virtualHosts = graph.derive("virtual-hosts", routes.http, (table): VirtualHosts => ({
    local: entryOf(table, table.ref.namespace),
    remote: entryOf(table, ""),
  }));
  const consumerHosts = graph.derive("consumer-virtual-hosts", routes.httpConsumer, (table) => entryOf(table, ""));
  return graph.deriveMany(
    "outbound-routes",
    inventory.workloads,
    (workload, _key, context) => {
      const entries: Uint8Array[] = [];
      for (const ref of context.fetch(outbound.visible, identityOf(workload)) ?? []) {
        const host = context.fetch(virtualHosts, servicePortKey(ref));
        const own = context.fetch(consumerHosts, consumerKey(workload.namespace, ref));
        if (own !== undefined) entries.push(own);
        else if (host !== undefined) entries.push(ref.namespace === workload.namespace ? host.local : host.remote);
      }
      return [serializedResource(workload.key, RouteConfigurationSchema, OUTBOUND, outboundRoutes(workload, entries))];
    },
    { equal: sameResource },
  );
}

function podLayer(pod: string): string {
  return `pod/${pod}`;
}

/** A service's port depends on its name, and on the few services that share its slot: it stays when others come and go. */
function allocateTcpPorts(graph: Graph, services: Collection<string, TcpService>): Collection<string, number> {
  const tcp = graph.derive("tcp-service-ports", services, ({ ref }) => ref);
  const bySlot = graph.index("tcp-service-ports-by-slot", tcp, (ref) => [String(slotOf(servicePortKey(ref)))]);
  return graph.derive("tcp-loopback-ports", tcp, (ref, key, context) => {
    const slot = slotOf(key);
    const rank = context.fetchIndex(bySlot, String(slot)).findIndex((other) => servicePortKey(other) === servicePortKey(ref));
    return rank < PORTS_PER_SLOT ? FIRST_TCP_PORT + slot * PORTS_PER_SLOT + rank : undefined;
  });
}

function slotOf(key: string): number {
  return createHash("sha256").update(key).digest().readUInt32BE(0) % SLOTS;
}
