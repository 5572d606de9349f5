/**
 * A GRPCRoute as rules over HTTP requests, which is what gRPC calls are: `POST /<package>.<Service>/<Method>`. From here on
 * its rules are handled as an HTTPRoute's, but for their order of precedence.
 */
import { namespaceOf } from "../core/route/attachment.ts";
import { byAge } from "../core/route/age.ts";
import { originOf } from "../core/route/backend.ts";
import { ruleName } from "../core/route/validate.ts";
import { firstOfEachName, type PathMatch, type RouteMatch, type RouteRule } from "../http-route/rules.ts";
import type { RuleMatch } from "../http-route/precedence.ts";
import type { GrpcMatchSpec, GrpcMethodMatch, GrpcRoute, GrpcRuleSpec } from "./schema.ts";

/** The matches as written, or the one that stands for none: every call. */
export function matchesOf(rule: GrpcRuleSpec): readonly GrpcMatchSpec[] {
  return rule.matches === undefined || rule.matches.length === 0 ? [{}] : rule.matches;
}

/** What a valid method match asks of the path. */
export function pathOf({ type = "Exact", service, method }: GrpcMethodMatch = {}): PathMatch {
  if (service === undefined && method === undefined) return { type: "PathPrefix", value: "" };
  if (type === "RegularExpression") {
    const part = (expression: string | undefined): string => (expression === undefined ? "[^/]+" : `(?:${expression})`);
    return { type, value: `/${part(service)}/${part(method)}` };
  }
  if (service === undefined) return { type: "RegularExpression", value: `/[^/]+/${method ?? ""}` };
  return method === undefined ? { type: "PathPrefix", value: `/${service}` } : { type: "Exact", value: `/${service}/${method}` };
}

interface SpecificMatch extends RuleMatch {
  /** Negative when it goes before the other. */
  readonly specificity: readonly number[];
}

/**
 * The matches of all routes, the one that wins first: an exact method before an expression (the Gateway API leaves that open),
 * and none at all last; then more characters in the service; then in the method; then more headers; then the older route,
 * then `namespace/name`; then the order in which they are written.
 */
export function rank(routes: readonly GrpcRoute[]): readonly RuleMatch[] {
  return routes
    .toSorted(byAge)
    .flatMap((route) => rulesOf(route).flatMap(({ rule, specs }) => specs.map((spec, index) => specific(rule, spec, index))))
    .sort((a, b) => compare(a.specificity, b.specificity)); // stable: ties keep the order of age, name and writing
}

function specific(rule: RouteRule, { method, headers = [] }: GrpcMatchSpec, index: number): SpecificMatch {
  const match: RouteMatch = rule.matches[index] ?? { path: { type: "PathPrefix", value: "" }, headers: [], queryParams: [] };
  const kind = method === undefined ? 0 : method.type === "RegularExpression" ? 1 : 2;
  return { rule, match, specificity: [kind, method?.service?.length ?? 0, method?.method?.length ?? 0, headers.length] };
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at === -1 ? 0 : (b[at] ?? 0) - (a[at] ?? 0);
}

/** The rules of a valid route, in order, each with its matches as written. */
export function rulesOf(route: GrpcRoute): readonly { readonly rule: RouteRule; readonly specs: readonly GrpcMatchSpec[] }[] {
  const rules: readonly GrpcRuleSpec[] = route.spec.rules ?? [{}];
  return rules.map((spec, index) => {
    const specs = matchesOf(spec);
    const rule: RouteRule = {
      name: `grpcroute/${namespaceOf(route)}/${route.metadata.name}/${ruleName(spec, index)}`,
      origin: originOf(route),
      matches: specs.map(({ method, headers = [] }) => ({
        path: pathOf(method),
        headers: firstOfEachName(headers.map((header) => ({ ...header, name: header.name.toLowerCase() }))),
        queryParams: [],
      })),
      filters: spec.filters ?? [],
      backendRefs: spec.backendRefs ?? [],
      // A stream lives as long as its ends like.
      requestTimeout: 0,
      backendRequestTimeout: 0,
    };
    return { rule, specs };
  });
}
