/**
 * Which service ports an identity sees: those where some policy could let it in, at the pods of the service itself or at
 * those to which the routes of the port lead its namespace.
 */
import type { Collection } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { servicePortKey, type ServicePortRef } from "../model/service.ts";
import type { Workload } from "../model/workload.ts";
import { EVERYONE } from "./audience.ts";
import type { Inventory } from "./inventory.ts";
import type { Backend } from "./service-ports.ts";
import type { RouteTables } from "./service-routes.ts";

/** Who could be let in where calls to a service port go: `*`, `<namespace>/*` or `<namespace>/<service account>`, sorted. */
interface Reach {
  readonly ref: ServicePortRef;
  readonly audience: readonly string[];
}

/** `namespace/service account`. */
export function identityOf(workload: Pick<Workload, "namespace" | "serviceAccount">): string {
  return `${workload.namespace}/${workload.serviceAccount}`;
}

/** By identity, sorted. */
export function visibleServices(
  graph: Graph,
  inventory: Inventory,
  backends: Collection<string, Backend>,
  routes: RouteTables,
): Collection<string, readonly ServicePortRef[]> {
  const audiences = graph.derive("audiences", backends, ({ audience }) => audience);
  const reaches = graph.derive("reaches", backends, ({ ref }, key, context): Reach => {
    const led = [context.fetch(routes.http, key), context.fetch(routes.tcp, key)].flatMap((table) => table?.backends ?? []);
    return { ref, audience: union([ref, ...led].map((backend) => context.fetch(audiences, servicePortKey(backend)) ?? [])) };
  });
  const consumers = graph.join<string, { readonly ref: ServicePortRef; readonly backends: readonly ServicePortRef[] }>("consumer-tables", [
    routes.httpConsumer,
    routes.tcpConsumer,
  ]);
  const consumerReaches = graph.derive("consumer-reaches", consumers, ({ ref, backends: led }, _key, context): Reach => ({
    ref,
    audience: union(led.map((backend) => context.fetch(audiences, servicePortKey(backend)) ?? [])),
  }));
  const byAudience = graph.index("reaches-by-audience", reaches, ({ audience }) => audience);
  const byConsumer = graph.index("reaches-by-consumer", consumerReaches, ({ audience }, key) => {
    const consumer = key.split("|", 1)[0] ?? "";
    return audience.map((caller) => `${consumer}|${caller}`);
  });

  const workloadsByIdentity = graph.index("workloads-by-identity", inventory.workloads, (workload) => [identityOf(workload)]);
  return graph.derive(
    "visible-services",
    graph.groups("identities", workloadsByIdentity),
    (_members, identity, context): readonly ServicePortRef[] => {
      const namespace = identity.split("/", 1)[0] ?? "";
      const refs = new Map<string, ServicePortRef>();
      for (const caller of [EVERYONE, `${namespace}/*`, identity]) {
        const found = [...context.fetchIndex(byAudience, caller), ...context.fetchIndex(byConsumer, `${namespace}|${caller}`)];
        for (const { ref } of found) refs.set(servicePortKey(ref), ref);
      }
      return [...refs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, ref]) => ref);
    },
  );
}

function union(audiences: readonly (readonly string[])[]): readonly string[] {
  const callers = new Set(audiences.flat());
  return callers.has(EVERYONE) ? [EVERYONE] : [...callers].sort();
}
