/** The inbound side as collections: per workload its routes with the policies in them, and its extensions. */
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { TypedExtensionConfigSchema } from "../../xds-server/gen/envoy/config/core/v3/extension_pb.js";
import type { EncodedResource, ResourceId } from "../../xds-server/delta/feed.ts";
import type { TlsSettings } from "../../xds-server/envoy/tls.ts";
import type { JwksState } from "../../crds/authentication-policy/index.ts";
import type { InboundHttpContribution } from "../../crds/core/contribution.ts";
import { type Collection, SINGLETON, type SingletonKey } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { policyProtocol } from "../model/protocol.ts";
import type { WorkloadPort } from "../model/workload.ts";
import { bytesDecision, contributionsOf } from "./contributions.ts";
import type { WorkloadPolicies } from "./effective-policies.ts";
import { inboundRoutes, jwtExtension, tcpExtensions, tunnelRoutes } from "./inbound.ts";
import type { AccessDecision } from "./rbac.ts";
import { type IdentifiedResource, resource, sameResource } from "./resources.ts";
import type { MeshSettings } from "./settings.ts";

export interface InboundResources {
  /** By workload key what each of its ports demands of TLS, in their order. All that a listener takes from policies. */
  readonly tls: Collection<string, readonly TlsSettings[]>;
  readonly resources: Collection<ResourceId, EncodedResource>;
  /** Per workload the ids of its inbound resources. */
  readonly ids: Collection<string, readonly ResourceId[]>;
}

export function inboundResources(
  graph: Graph,
  settings: Collection<SingletonKey, MeshSettings>,
  policies: Collection<string, WorkloadPolicies>,
  jwks: Collection<string, JwksState>,
): InboundResources {
  const tls = graph.derive("inbound-tls", policies, ({ ports }): readonly TlsSettings[] =>
    ports.map(({ tls: { minVersion, postQuantum } }) => ({ minVersion, postQuantum })),
  );

  const ownResources = graph.derive(
    "inbound-resources",
    policies,
    ({ workload, ports, undeclared }, key, context): readonly IdentifiedResource[] => {
      const mesh = context.fetch(settings, SINGLETON);
      if (mesh === undefined) return [];
      const own: IdentifiedResource[] = [];
      const contributed: InboundHttpContribution[] = [];
      const contributedTo = ports.map((ofPort) => ({
        policies: ofPort,
        ...contributionsOf(workload, ofPort, mesh, (uri) => context.fetch(jwks, uri)),
      }));
      // All ports share one jwt filter, which takes away the claim headers of all its providers wherever it is on. So it is
      // done everywhere: what a policy vouches for at one port, nobody may bring to another.
      const vouched = { stripRequestHeaders: contributedTo.flatMap(({ contributions }) => contributions).flatMap(strippedHeaders) };
      const bytes = (port: WorkloadPort, access: AccessDecision): void => {
        for (const extension of tcpExtensions(port.number, `${workload.namespace}/${workload.name}`, access))
          own.push(resource(key, TypedExtensionConfigSchema, extension.name, extension));
      };
      const tunnels = (port: WorkloadPort, access: AccessDecision): void => {
        const routes = tunnelRoutes(port, access);
        own.push(resource(key, RouteConfigurationSchema, routes.name, routes));
      };
      for (const { policies: ofPort, access, contributions } of contributedTo) {
        const { port } = ofPort;
        if (policyProtocol(port.protocol) === "TCP") {
          bytes(port, access);
          tunnels(port, access);
          continue;
        }
        contributed.push(...contributions);
        const detected = port.detected === true;
        const routes = inboundRoutes({ port: port.number, detected, access, contributions: [...contributions, vouched] });
        own.push(resource(key, RouteConfigurationSchema, routes.name, routes));
        if (!detected) continue;
        const decision = bytesDecision(workload, ofPort, mesh);
        bytes(port, decision);
        tunnels(port, decision);
      }
      if (undeclared !== undefined) bytes(undeclared.port, contributionsOf(workload, undeclared, mesh, () => undefined).access);
      const jwt = jwtExtension(contributed);
      own.push(resource(key, TypedExtensionConfigSchema, jwt.name, jwt));
      return own;
    },
  );
  const resources = graph.deriveMany("inbound-resources-by-id", ownResources, (own) => own, { equal: sameResource });
  const ids = graph.derive("inbound-resource-ids", ownResources, (own) => own.map(([id]) => id));
  return { tls, resources, ids };
}

function strippedHeaders({ stripRequestHeaders = [] }: InboundHttpContribution): readonly string[] {
  return stripRequestHeaders;
}
