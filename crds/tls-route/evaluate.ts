import { routesForCaller } from "../core/route/attachment.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import type { ConnectionRule } from "../tcp-route/forwarding.ts";
import type { TlsRoute } from "./schema.ts";
import { namedRules } from "./server-names.ts";

export type ConnectionDecision =
  /** No route applies to the port: the connection goes to the service itself. */
  | { readonly kind: "unrouted" }
  /** Routes apply, and none has the name: the connection is closed. */
  | { readonly kind: "no-rule" }
  | { readonly kind: "forward"; readonly rule: ConnectionRule };

/**
 * Decides by the server name that the caller asks for in its TLS greeting; undefined is none. The whole name goes before
 * `*.` of what is left when labels are cut off its front, the longer first, and these before a route without names.
 */
export function evaluateTlsConnection(
  port: ServicePortAddress,
  routes: readonly TlsRoute[],
  services: KnownServices,
  serverName: string | undefined,
  callerNamespace: string = port.namespace,
): ConnectionDecision {
  const applying = routesForCaller(port, routes, services, callerNamespace);
  if (applying.length === 0) return { kind: "unrouted" };
  const rules = namedRules(applying, services);
  const having = (name: string): ConnectionRule | undefined => rules.find(({ serverNames }) => serverNames.includes(name))?.rule;
  const everything = rules.find(({ serverNames }) => serverNames.length === 0)?.rule;
  const rule =
    namesToTry(serverName?.toLowerCase())
      .map(having)
      .find((found) => found !== undefined) ?? everything;
  return rule === undefined ? { kind: "no-rule" } : { kind: "forward", rule };
}

function namesToTry(serverName: string | undefined): readonly string[] {
  if (serverName === undefined) return [];
  const labels = serverName.split(".");
  return [serverName, ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join(".")}`)];
}
