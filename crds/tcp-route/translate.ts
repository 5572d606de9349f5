/** The connections of a TCP port as Envoy has them: a filter chain that takes them, and its terminal `tcp_proxy` with weights. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type TcpProxy,
  TcpProxySchema,
  TcpProxy_WeightedClusterSchema,
} from "../../xds-server/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { byAge } from "../core/route/age.ts";
import { routesOf } from "../core/route/attachment.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import { connectionRules, type ConnectionRule } from "./forwarding.ts";
import type { TcpRoute } from "./schema.ts";

/** Connections that are treated alike. */
export interface TcpChain {
  /** The name of the rule. */
  readonly name: string;
  /** TLS server names, `*.example.com` among them; empty: every connection that no other chain takes. */
  readonly serverNames: readonly string[];
  /** Never empty. A cluster that does not exist closes the connection. */
  readonly shares: readonly ClusterShare[];
}

export interface ClusterShare {
  readonly cluster: string;
  /** Above 0. */
  readonly weight: number;
}

export type ClusterName = (port: ServicePortAddress) => string;

/** Empty when no route applies: connections go to the service itself. */
export function translateTcpPort(
  port: ServicePortAddress,
  routes: readonly TcpRoute[],
  services: KnownServices,
  clusterName: ClusterName,
  consumer?: string,
): readonly TcpChain[] {
  return routesOf(port, routes, services, consumer)
    .toSorted(byAge)
    .flatMap((route) => connectionRules(route, route.spec.rules ?? [{}], services))
    .slice(0, 1)
    .map((rule) => chainOf(rule, [], clusterName));
}

export function chainOf({ name, shares }: ConnectionRule, serverNames: readonly string[], clusterName: ClusterName): TcpChain {
  return {
    name,
    serverNames,
    shares: shares.map(({ backend, weight }) => ({
      cluster: backend.kind === "resolved" ? clusterName(backend.port) : backend.name,
      weight,
    })),
  };
}

/** The terminal filter of a chain; `settings` are what every outbound `tcp_proxy` has. */
export function tcpProxyOf(chain: TcpChain, settings: MessageInitShape<typeof TcpProxySchema>): TcpProxy {
  const proxy = create(TcpProxySchema, settings);
  const [first, ...others] = chain.shares;
  proxy.clusterSpecifier =
    first !== undefined && others.length === 0
      ? { case: "cluster", value: first.cluster }
      : { case: "weightedClusters", value: create(TcpProxy_WeightedClusterSchema, { clusters: chain.shares.map(weighted) }) };
  return proxy;
}

function weighted({ cluster, weight }: ClusterShare): { name: string; weight: number } {
  return { name: cluster, weight };
}
