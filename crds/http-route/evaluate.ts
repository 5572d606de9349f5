/**
 * What a service's HTTPRoutes do with a request, in plain words: the Gateway API's text as code. It answers `explain` and
 * is what generated requests hold against a real Envoy.
 */
import { RE2JS } from "re2js";
import { BAD_PATH, canonicalPath } from "../core/canonical-path.ts";
import type { PolicyRequest } from "../core/request.ts";
import { routesForCaller } from "../core/route/attachment.ts";
import { type Backend, resolveBackend } from "../core/route/backend.ts";
import type { HeaderModifier } from "../core/route/schema.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import { sharesOf } from "./backends.ts";
import { rank, type RuleMatch } from "./precedence.ts";
import type { PathMatch, RouteMatch, RouteRule, ValueMatch } from "./rules.ts";
import type { HttpRoute, PathModifier, RequestRedirect } from "./schema.ts";

export type RouteRequest = Pick<PolicyRequest, "method" | "path" | "host" | "headers">;

export type RouteDecision =
  /** Answered with 400 before any route is asked. */
  | { readonly kind: "bad-path" }
  /** No route applies to the port: the request goes to the service itself. */
  | { readonly kind: "unrouted"; readonly port: ServicePortAddress }
  /** Routes apply, and none of their rules matches: 404. */
  | { readonly kind: "no-rule" }
  | { readonly kind: "redirect"; readonly rule: string; readonly status: number; readonly location: string }
  | {
      readonly kind: "forward";
      readonly rule: string;
      /** One of these gets the request, chosen by chance; what is dangling answers 500. */
      readonly shares: readonly RouteShare[];
      /** As it is sent on, before the header changes of a share. */
      readonly request: RouteRequest;
      readonly mirrors: readonly Mirror[];
      /** Milliseconds; 0 is no limit. */
      readonly requestTimeout: number;
      readonly backendRequestTimeout: number;
    };

export interface RouteShare {
  readonly backend: Backend;
  /** Between 0 and 1; the shares of a rule make 1. */
  readonly fraction: number;
  readonly headerChanges: readonly HeaderModifier[];
}

export interface Mirror {
  readonly port: ServicePortAddress;
  /** Between 0 and 1. */
  readonly fraction: number;
}

export function evaluateServicePort(
  port: ServicePortAddress,
  routes: readonly HttpRoute[],
  services: KnownServices,
  request: RouteRequest,
  callerNamespace: string = port.namespace,
): RouteDecision {
  const applying = routesForCaller(port, routes, services, callerNamespace);
  return evaluateRanked(rank(applying), applying.length > 0, port, services, request);
}

/** The first of the matches that takes the request decides. `routed` says whether any route applies to the port. */
export function evaluateRanked(
  ranked: readonly RuleMatch[],
  routed: boolean,
  port: ServicePortAddress,
  services: KnownServices,
  request: RouteRequest,
): RouteDecision {
  const path = canonicalPath(request.path);
  if (path === BAD_PATH) return { kind: "bad-path" };
  if (!routed) return { kind: "unrouted", port };
  const winner = ranked.find(({ match }) => matches(match, request, path));
  return winner === undefined ? { kind: "no-rule" } : decide(winner, port, services, request, path);
}

function matches(match: RouteMatch, request: RouteRequest, path: string): boolean {
  return (
    matchesPath(match.path, path) &&
    (match.method === undefined || match.method === request.method) &&
    match.headers.every((header) => linesOf(request, header.name).some((line) => matchesValue(header, line))) &&
    match.queryParams.every((param) => {
      const value = queryOf(request.path).find(([name]) => name === param.name)?.[1];
      return value !== undefined && matchesValue(param, value);
    })
  );
}

function matchesPath({ type, value }: PathMatch, path: string): boolean {
  switch (type) {
    case "Exact":
      return path === value;
    case "PathPrefix":
      return path === value || path.startsWith(`${value}/`);
    case "RegularExpression":
      return RE2JS.matches(value, path);
  }
}

function matchesValue({ type, value }: ValueMatch, actual: string): boolean {
  return type === "Exact" ? actual === value : RE2JS.matches(value, actual);
}

/** Each line of a header is compared by itself. */
function linesOf(request: RouteRequest, name: string): readonly string[] {
  if (name === "host") return [request.host];
  return request.headers.flatMap(([header, value]) => (header === name ? [value] : []));
}

/** Parameters as they are written, still encoded; of a repeated one the first counts. */
function queryOf(path: string): readonly (readonly [name: string, value: string])[] {
  const query = path.indexOf("?");
  if (query === -1) return [];
  return path
    .slice(query + 1)
    .split("&")
    .map((pair) => {
      const equals = pair.indexOf("=");
      return equals === -1 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    });
}

function decide(
  { rule, match }: RuleMatch,
  port: ServicePortAddress,
  services: KnownServices,
  request: RouteRequest,
  path: string,
): RouteDecision {
  const search = request.path.includes("?") ? request.path.slice(request.path.indexOf("?")) : "";
  const [redirect] = rule.filters.flatMap((filter) => filter.requestRedirect ?? []);
  if (redirect !== undefined) {
    const location = locationOf(redirect, port, request.host, modifiedPath(redirect.path, match, path) + search);
    return { kind: "redirect", rule: rule.name, status: redirect.statusCode ?? 302, location };
  }
  const [rewrite] = rule.filters.flatMap((filter) => filter.urlRewrite ?? []);
  const shares = sharesOf(rule, services);
  const total = shares.reduce((sum, share) => sum + share.weight, 0);
  return {
    kind: "forward",
    rule: rule.name,
    shares: shares.map((share) => ({
      backend: share.backend,
      fraction: share.weight / total,
      headerChanges: share.filters.flatMap((filter) => filter.requestHeaderModifier ?? []),
    })),
    request: {
      method: request.method,
      path: modifiedPath(rewrite?.path, match, path) + search,
      host: rewrite?.hostname ?? request.host,
      headers: rule.filters.flatMap((filter) => filter.requestHeaderModifier ?? []).reduce(changeHeaders, request.headers),
    },
    mirrors: mirrorsOf(rule, services),
    requestTimeout: rule.requestTimeout,
    backendRequestTimeout: rule.backendRequestTimeout,
  };
}

/** The table of HTTPPathModifier in the Gateway API, in one line each. */
function modifiedPath(modifier: PathModifier | undefined, match: RouteMatch, path: string): string {
  if (modifier === undefined) return path;
  if (modifier.type === "ReplaceFullPath") return modifier.replaceFullPath ?? path;
  const prefix = (modifier.replacePrefixMatch ?? "").replace(/\/$/, "");
  const rest = path.slice(match.path.value.length);
  return prefix + rest === "" ? "/" : prefix + rest;
}

/** The scheme of the called port is http: callers reach their sidecar in plain text. */
function locationOf(redirect: RequestRedirect, port: ServicePortAddress, host: string, path: string): string {
  const scheme = redirect.scheme ?? "http";
  const ownPort = { http: 80, https: 443 }[scheme];
  const wanted = redirect.port ?? (redirect.scheme === undefined ? port.port : ownPort);
  const hostname = redirect.hostname ?? host.replace(/:\d+$/, "");
  return `${scheme}://${hostname}${wanted === ownPort ? "" : `:${wanted}`}${path}`;
}

/** What a header modifier makes of the lines: names are compared without case, an added value is a further line. */
export function changeHeaders(lines: RouteRequest["headers"], modifier: HeaderModifier): RouteRequest["headers"] {
  const { set = [], add = [], remove = [] } = modifier;
  const gone = new Set([...remove, ...set.map(({ name }) => name)].map((name) => name.toLowerCase()));
  const added = [...set, ...add].map(({ name, value }) => [name.toLowerCase(), value] as const);
  return [...lines.filter(([name]) => !gone.has(name)), ...added];
}

function mirrorsOf({ filters, origin }: RouteRule, services: KnownServices): readonly Mirror[] {
  return filters.flatMap(({ requestMirror: mirror }) => {
    if (mirror === undefined) return [];
    const backend = resolveBackend(origin, mirror.backendRef, services);
    if (backend.kind === "dangling") return [];
    const { percent, fraction } = mirror;
    const part = fraction === undefined ? (percent ?? 100) / 100 : fraction.numerator / (fraction.denominator ?? 100);
    return [{ port: backend.port, fraction: part }];
  });
}
