/** Where the connections of a TCP port go: what TCPRoute and TLSRoute come to, and both translate and evaluate read. */
import { namespaceOf } from "../core/route/attachment.ts";
import { type Backend, originOf, resolveBackend } from "../core/route/backend.ts";
import type { AnyRoute, ConnectionBackend } from "../core/route/schema.ts";
import type { KnownServices } from "../core/route/services.ts";
import { ruleName } from "../core/route/validate.ts";

export interface ConnectionShare {
  readonly backend: Backend;
  /** Above 0. Its part of the connections is `weight` of the sum of all weights. */
  readonly weight: number;
}

export interface ConnectionRule {
  /** `tcproute/<namespace>/<route>/<rule>`: what logs and explain say. */
  readonly name: string;
  /** Never empty: a rule that names no backend forwards to one that does not exist. */
  readonly shares: readonly ConnectionShare[];
}

interface RuleSpec {
  readonly name?: string;
  readonly backendRefs?: readonly ConnectionBackend[];
}

/** The rules of a valid route, in order. */
export function connectionRules(route: AnyRoute, rules: readonly RuleSpec[], services: KnownServices): readonly ConnectionRule[] {
  const origin = originOf(route);
  return rules.map((rule, index) => {
    const name = `${route.kind.toLowerCase()}/${namespaceOf(route)}/${route.metadata.name}/${ruleName(rule, index)}`;
    const shares = (rule.backendRefs ?? [])
      .map((ref) => ({ backend: resolveBackend(origin, ref, services), weight: ref.weight ?? 1 }))
      .filter((share) => share.weight > 0);
    return { name, shares: shares.length > 0 ? shares : [{ backend: nowhere(name), weight: 1 }] };
  });
}

function nowhere(rule: string): Backend {
  const message = "the rule has no backend of a weight above 0";
  return { kind: "dangling", name: `dangling/${rule}`, reason: "BackendNotFound", message };
}
