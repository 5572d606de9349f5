import { type Backend, resolveBackend } from "../core/route/backend.ts";
import type { KnownServices } from "../core/route/services.ts";
import type { RouteRule } from "./rules.ts";
import type { RouteFilter } from "./schema.ts";

/** One of the places that a rule forwards to. Its part of the requests is `weight` of the sum of all weights. */
export interface ForwardingShare {
  readonly backend: Backend;
  /** Above 0. */
  readonly weight: number;
  /** Applied to its requests alone: header modifiers. */
  readonly filters: readonly RouteFilter[];
}

/** Where a rule forwards; never empty: a rule that names no backend forwards to one that does not exist. */
export function sharesOf(rule: RouteRule, services: KnownServices): readonly ForwardingShare[] {
  const shares = rule.backendRefs
    .map((ref) => ({ backend: resolveBackend(rule.origin, ref, services), weight: ref.weight ?? 1, filters: ref.filters ?? [] }))
    .filter((share) => share.weight > 0);
  if (shares.length > 0) return shares;
  const nowhere: Backend = {
    kind: "dangling",
    name: `dangling/${rule.name}`,
    reason: "BackendNotFound",
    message: "the rule has no backend of a weight above 0",
  };
  return [{ backend: nowhere, weight: 1, filters: [] }];
}
