/** The inbound side as collections: per workload its listeners, its routes with the policies in them, its extensions. */
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { TypedExtensionConfigSchema } from "../../xds-server/gen/envoy/config/core/v3/extension_pb.js";
import type { EncodedResource, ResourceId } from "../../xds-server/delta/feed.ts";
import type { TlsSettings } from "../../xds-server/envoy/tls.ts";
import type { JwksState } from "../../crds/authentication-policy/index.ts";
import type { InboundHttpContribution } from "../../crds/core/contribution.ts";
import { LIMIT_HEADERS_LUA } from "../../crds/rate-limit-policy/index.ts";
import { type Collection, SINGLETON, type SingletonKey } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { policyProtocol } from "../model/protocol.ts";
import type { WorkloadPort } from "../model/workload.ts";
import { contributionsOf } from "./contributions.ts";
import type { WorkloadPolicies } from "./effective-policies.ts";
import { inboundListenerBytes, inboundRoutes, jwtExtension, tcpExtensions, tunnelRoutes } from "./inbound.ts";
import type { Inventory } from "./inventory.ts";
import { type IdentifiedResource, resource, sameResource } from "./resources.ts";
import type { MeshSettings } from "./settings.ts";

/** A port's serialized listener, complete but for its address. */
export interface PortListener {
  readonly port: WorkloadPort;
  readonly bytes: Uint8Array;
}

export interface InboundResources {
  /** By workload key. They depend on ports and TLS settings alone: no policy about requests ever changes one. */
  readonly listeners: Collection<string, readonly PortListener[]>;
  readonly resources: Collection<ResourceId, EncodedResource>;
  /** Per workload the ids of its inbound resources. */
  readonly ids: Collection<string, readonly ResourceId[]>;
}

export function inboundResources(
  graph: Graph,
  inventory: Inventory,
  settings: Collection<SingletonKey, MeshSettings>,
  policies: Collection<string, WorkloadPolicies>,
  jwks: Collection<string, JwksState>,
): InboundResources {
  const portTls = graph.derive("inbound-tls", policies, ({ ports }): readonly TlsSettings[] =>
    ports.map(({ tls: { minVersion, postQuantum } }) => ({ minVersion, postQuantum })),
  );
  const listeners = graph.derive(
    "inbound-listeners",
    inventory.workloads,
    (workload, key, context): readonly PortListener[] | undefined => {
      const trustDomain = context.fetch(settings, SINGLETON)?.trustDomain;
      const tls = context.fetch(portTls, key);
      if (trustDomain === undefined || tls === undefined) return undefined;
      return workload.ports.flatMap((port, index): PortListener[] => {
        const portSettings = tls[index];
        if (portSettings === undefined) return [];
        const bytes = inboundListenerBytes({ workload, port, trustDomain, tls: portSettings, limitHeadersLua: LIMIT_HEADERS_LUA });
        return [{ port, bytes }];
      });
    },
  );

  const ownResources = graph.derive("inbound-resources", policies, ({ workload, ports }, key, context): readonly IdentifiedResource[] => {
    const mesh = context.fetch(settings, SINGLETON);
    if (mesh === undefined) return [];
    const own: IdentifiedResource[] = [];
    const contributed: InboundHttpContribution[] = [];
    const contributedTo = ports.map((port) => ({ port, ...contributionsOf(workload, port, mesh, (uri) => context.fetch(jwks, uri)) }));
    // All ports share one jwt filter, which takes away the claim headers of all its providers wherever it is on. So it is
    // done everywhere: what a policy vouches for at one port, nobody may bring to another.
    const vouched = { stripRequestHeaders: contributedTo.flatMap(({ contributions }) => contributions).flatMap(strippedHeaders) };
    for (const { port, access, contributions } of contributedTo) {
      const number = port.port.number;
      if (policyProtocol(port.port.protocol) === "TCP") {
        for (const extension of tcpExtensions(number, `${workload.namespace}/${workload.name}`, access))
          own.push(resource(key, TypedExtensionConfigSchema, extension.name, extension));
        const tunnels = tunnelRoutes(number, access);
        own.push(resource(key, RouteConfigurationSchema, tunnels.name, tunnels));
        continue;
      }
      contributed.push(...contributions);
      const routes = inboundRoutes({ port: number, access, contributions: [...contributions, vouched] });
      own.push(resource(key, RouteConfigurationSchema, routes.name, routes));
    }
    const jwt = jwtExtension(contributed);
    own.push(resource(key, TypedExtensionConfigSchema, jwt.name, jwt));
    return own;
  });
  const resources = graph.deriveMany("inbound-resources-by-id", ownResources, (own) => own, { equal: sameResource });
  const ids = graph.derive("inbound-resource-ids", ownResources, (own) => own.map(([id]) => id));
  return { listeners, resources, ids };
}

function strippedHeaders({ stripRequestHeaders = [] }: InboundHttpContribution): readonly string[] {
  return stripRequestHeaders;
}
