import { routesForCaller } from "../core/route/attachment.ts";
import { byAge } from "../core/route/age.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import { connectionRules, type ConnectionRule } from "./forwarding.ts";
import type { TcpRoute } from "./schema.ts";

/**
 * The rule that takes a connection to the port, or undefined when none does and it goes to the service itself. A TCPRoute
 * has nothing to tell connections apart by, so of several routes the oldest takes them all.
 */
export function evaluateConnection(
  port: ServicePortAddress,
  routes: readonly TcpRoute[],
  services: KnownServices,
  callerNamespace: string = port.namespace,
): ConnectionRule | undefined {
  return routesForCaller(port, routes, services, callerNamespace)
    .toSorted(byAge)
    .flatMap((route) => connectionRules(route, route.spec.rules ?? [{}], services))[0];
}
