/** Which route has which server name. */
import { byAge } from "../core/route/age.ts";
import type { KnownServices } from "../core/route/services.ts";
import { connectionRules, type ConnectionRule } from "../tcp-route/forwarding.ts";
import type { TlsRoute } from "./schema.ts";

export interface NamedRule {
  readonly rule: ConnectionRule;
  /** Names that no older route has; the empty list is every connection. */
  readonly serverNames: readonly string[];
}

/** The rules of the routes that apply to one port, the older first. Of several routes with one name the oldest has it. */
export function namedRules(routes: readonly TlsRoute[], services: KnownServices): readonly NamedRule[] {
  const taken = new Set<string>();
  return routes.toSorted(byAge).flatMap((route) => {
    const names = route.spec.hostnames ?? [];
    const free = (names.length === 0 ? [EVERY_NAME] : [...new Set(names)]).filter((name) => !taken.has(name));
    const [rule] = connectionRules(route, route.spec.rules ?? [{}], services);
    if (free.length === 0 || rule === undefined) return [];
    for (const name of free) taken.add(name);
    return [{ rule, serverNames: free.filter((name) => name !== EVERY_NAME) }];
  });
}

const EVERY_NAME = "*";
