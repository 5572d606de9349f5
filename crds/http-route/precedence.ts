/** Which of several matches takes a request: the Gateway API's order over all routes of one service port. */
import { byAge } from "../core/route/age.ts";
import { type RouteMatch, type RouteRule, rulesOf } from "./rules.ts";
import type { HttpRoute } from "./schema.ts";

/** One match of one rule. */
export interface RuleMatch {
  readonly rule: RouteRule;
  readonly match: RouteMatch;
}

export interface RankedMatch extends RuleMatch {
  readonly route: HttpRoute;
}

/**
 * The matches of all routes, the one that wins first:
 * an Exact path, then a RegularExpression (longer first; the Gateway API leaves its place open), then the longer prefix;
 * then a method; then more headers; then more query parameters; then the older route, then `namespace/name`; then the
 * order in which they are written.
 */
export function rank(routes: readonly HttpRoute[]): readonly RankedMatch[] {
  return routes
    .toSorted(byAge)
    .flatMap((route) => rulesOf(route).flatMap((rule) => rule.matches.map((match) => ({ route, rule, match }))))
    .sort((a, b) => compareMatches(a.match, b.match)); // stable: ties keep the order of age, name and writing
}

/** Negative when `a` goes before `b`. */
function compareMatches(a: RouteMatch, b: RouteMatch): number {
  return (
    PATH_RANK[a.path.type] - PATH_RANK[b.path.type] ||
    b.path.value.length - a.path.value.length ||
    Number(b.method !== undefined) - Number(a.method !== undefined) ||
    b.headers.length - a.headers.length ||
    b.queryParams.length - a.queryParams.length
  );
}

const PATH_RANK = { Exact: 0, RegularExpression: 1, PathPrefix: 2 } as const;

export interface OverriddenMatch {
  /** Name of the rule that holds the match. */
  readonly rule: string;
  /** Name of the rule that takes all its requests. */
  readonly by: string;
}

/** Matches that can never take a request, since an identical one goes before them. */
export function overriddenMatches(routes: readonly HttpRoute[]): readonly OverriddenMatch[] {
  const first = new Map<string, string>();
  const overridden: OverriddenMatch[] = [];
  for (const { rule, match } of rank(routes)) {
    const key = matchKey(match);
    const by = first.get(key);
    if (by === undefined) first.set(key, rule.name);
    else overridden.push({ rule: rule.name, by });
  }
  return overridden;
}

function matchKey(match: RouteMatch): string {
  const values = (matches: RouteMatch["headers"]): string[][] => matches.map(({ type, name, value }) => [name, type, value]).sort();
  return JSON.stringify([match.path.type, match.path.value, match.method, values(match.headers), values(match.queryParams)]);
}
