import { routesOf } from "../core/route/attachment.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import { chainOf, type ClusterName, type TcpChain } from "../tcp-route/translate.ts";
import type { TlsRoute } from "./schema.ts";
import { namedRules } from "./server-names.ts";

/**
 * The filter chains of a port that takes TLS through: one for each route, and a last one for names that none has, which
 * closes the connection. No server name stands in two of them. Empty when no route applies: connections go to the
 * service itself.
 */
export function translateTlsPort(
  port: ServicePortAddress,
  routes: readonly TlsRoute[],
  services: KnownServices,
  clusterName: ClusterName,
  consumer?: string,
): readonly TcpChain[] {
  const applying = routesOf(port, routes, services, consumer);
  if (applying.length === 0) return [];
  const chains = namedRules(applying, services).map(({ rule, serverNames }) => chainOf(rule, serverNames, clusterName));
  if (chains.some(({ serverNames }) => serverNames.length === 0)) return chains;
  const name = `no-rule/${port.namespace}/${port.service}/${port.port}`;
  return [...chains, { name, serverNames: [], shares: [{ cluster: name, weight: 1 }] }];
}
