/** An HTTPRoute with the Gateway API's defaults filled in: the form that translate and evaluate both read. */
import { parseDuration } from "../core/duration.ts";
import { originOf, type RouteOrigin } from "../core/route/backend.ts";
import { namespaceOf } from "../core/route/attachment.ts";
import { ruleName } from "../core/route/validate.ts";
import type { HttpRoute, RouteBackendRef, RouteFilter, RouteMatchSpec, RouteRuleSpec } from "./schema.ts";

export interface ValueMatch {
  readonly type: "Exact" | "RegularExpression";
  readonly name: string;
  readonly value: string;
}

export interface PathMatch {
  readonly type: "Exact" | "PathPrefix" | "RegularExpression";
  /** Of a PathPrefix without its trailing slash: `/` is the empty string. */
  readonly value: string;
}

export interface RouteMatch {
  readonly path: PathMatch;
  /** Names in lower case, each once; the authority is called `host`. */
  readonly headers: readonly ValueMatch[];
  /** Names as written, each once. */
  readonly queryParams: readonly ValueMatch[];
  readonly method?: string;
}

export interface RouteRule {
  /** `httproute/<namespace>/<route>/<rule>`: what logs and explain say. An unnamed rule is called by its position, from 0. */
  readonly name: string;
  /** Whose references its backends and mirrors are. */
  readonly origin: RouteOrigin;
  readonly matches: readonly RouteMatch[];
  readonly filters: readonly RouteFilter[];
  readonly backendRefs: readonly RouteBackendRef[];
  /** Milliseconds; 0 is no limit. */
  readonly requestTimeout: number;
  readonly backendRequestTimeout: number;
}

/** The rules of a valid route, in order. */
export function rulesOf(route: HttpRoute): readonly RouteRule[] {
  const rules: readonly RouteRuleSpec[] = route.spec.rules ?? [{}];
  return rules.map((rule, index) => ({
    name: `httproute/${namespaceOf(route)}/${route.metadata.name}/${ruleName(rule, index)}`,
    origin: originOf(route),
    matches: matchesOf(rule).map(readMatch),
    filters: rule.filters ?? [],
    backendRefs: rule.backendRefs ?? [],
    requestTimeout: parseDuration(rule.timeouts?.request ?? "0s") ?? 0,
    backendRequestTimeout: parseDuration(rule.timeouts?.backendRequest ?? "0s") ?? 0,
  }));
}

/** The matches as written, or the one that stands for none: every request. */
export function matchesOf(rule: RouteRuleSpec): readonly RouteMatchSpec[] {
  return rule.matches === undefined || rule.matches.length === 0 ? [{}] : rule.matches;
}

function readMatch(match: RouteMatchSpec): RouteMatch {
  const type = match.path?.type ?? "PathPrefix";
  const value = match.path?.value ?? "/";
  return {
    path: { type, value: type === "PathPrefix" ? value.replace(/\/$/, "") : value },
    headers: firstOfEachName((match.headers ?? []).map((header) => ({ ...header, name: header.name.toLowerCase() }))),
    queryParams: firstOfEachName(match.queryParams ?? []),
    ...(match.method === undefined ? {} : { method: match.method }),
  };
}

/** Of entries with an equal name only the first counts (Gateway API, HTTPHeaderMatch and HTTPQueryParamMatch). */
export function firstOfEachName(
  matches: readonly (Omit<ValueMatch, "type"> & { readonly type?: ValueMatch["type"] })[],
): readonly ValueMatch[] {
  const first = new Map<string, ValueMatch>();
  for (const { type = "Exact", name, value } of matches) if (!first.has(name)) first.set(name, { type, name, value });
  return [...first.values()];
}
