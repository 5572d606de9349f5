import type { MessageInitShape } from "@bufbuild/protobuf";
import { HeaderValueOption_HeaderAppendAction, type HeaderValueOptionSchema } from "../../xds-server/gen/envoy/config/core/v3/base_pb.js";
import {
  RedirectAction_RedirectResponseCode,
  type RedirectActionSchema,
  type RouteAction_RequestMirrorPolicySchema,
  type RouteActionSchema,
} from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { FractionalPercent_DenominatorType, type FractionalPercentSchema } from "../../xds-server/gen/envoy/type/v3/percent_pb.js";
import { unreachable } from "../core/unreachable.ts";
import { resolveBackend } from "../core/route/backend.ts";
import type { HeaderModifier } from "../core/route/schema.ts";
import type { KnownServices, ServicePortAddress } from "../core/route/services.ts";
import type { RouteRule } from "./rules.ts";
import type { RequestRedirect, RouteFilter } from "./schema.ts";
import type { PlacedMatch } from "./translate-match.ts";

type HeaderOption = MessageInitShape<typeof HeaderValueOptionSchema>;

/** The response header by which a 500 says which backend does not exist. */
export const UNRESOLVED_BACKEND_HEADER = "x-seawall-unresolved-backend";

export interface HeaderChanges {
  readonly requestHeadersToAdd: HeaderOption[];
  readonly requestHeadersToRemove: string[];
  readonly responseHeadersToAdd: HeaderOption[];
  readonly responseHeadersToRemove: string[];
}

export function headerChanges(filters: readonly RouteFilter[]): HeaderChanges {
  const requests = filters.flatMap((filter) => filter.requestHeaderModifier ?? []);
  const responses = filters.flatMap((filter) => filter.responseHeaderModifier ?? []);
  return {
    requestHeadersToAdd: requests.flatMap(additions),
    requestHeadersToRemove: requests.flatMap((modifier) => modifier.remove ?? []),
    responseHeadersToAdd: responses.flatMap(additions),
    responseHeadersToRemove: responses.flatMap((modifier) => modifier.remove ?? []),
  };
}

function additions(modifier: HeaderModifier): HeaderOption[] {
  const { OVERWRITE_IF_EXISTS_OR_ADD, APPEND_IF_EXISTS_OR_ADD } = HeaderValueOption_HeaderAppendAction;
  const option = ({ name, value }: { name: string; value: string }, appendAction: HeaderValueOption_HeaderAppendAction): HeaderOption => {
    return { header: { key: name, value: literal(value) }, appendAction };
  };
  return [
    ...(modifier.set ?? []).map((header) => option(header, OVERWRITE_IF_EXISTS_OR_ADD)),
    ...(modifier.add ?? []).map((header) => option(header, APPEND_IF_EXISTS_OR_ADD)),
  ];
}

/** Envoy reads `%` as the begin of a command in header values and path rewrites. */
function literal(text: string): string {
  return text.replaceAll("%", "%%");
}

export function rewrittenHost(filters: readonly RouteFilter[]): Pick<MessageInitShape<typeof RouteActionSchema>, "hostRewriteSpecifier"> {
  const hostname = filters.find((filter) => filter.urlRewrite?.hostname !== undefined)?.urlRewrite?.hostname;
  return hostname === undefined ? {} : { hostRewriteSpecifier: { case: "hostRewriteLiteral", value: hostname } };
}

/** The query stays as it is. */
export function rewrittenPath({ path }: PlacedMatch): Pick<MessageInitShape<typeof RouteActionSchema>, "prefixRewrite" | "pathRewrite"> {
  switch (path.kind) {
    case "none":
      return {};
    case "full":
      return { pathRewrite: literal(path.path) };
    case "prefix":
      return { prefixRewrite: path.replacement };
    default:
      return unreachable(path);
  }
}

const RESPONSE_CODES = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
} as const;

export function redirectAction(
  redirect: RequestRedirect,
  placed: PlacedMatch,
  port: ServicePortAddress,
): MessageInitShape<typeof RedirectActionSchema> {
  return {
    responseCode: RESPONSE_CODES[redirect.statusCode ?? 302],
    hostRedirect: redirect.hostname ?? "",
    portRedirect: redirectPort(redirect, port.port),
    ...(redirect.scheme === undefined ? {} : { schemeRewriteSpecifier: { case: "schemeRedirect", value: redirect.scheme } }),
    ...redirectedPath(placed),
  };
}

function redirectedPath({ path }: PlacedMatch): Pick<MessageInitShape<typeof RedirectActionSchema>, "pathRewriteSpecifier"> {
  switch (path.kind) {
    case "none":
      return {};
    case "full":
      return { pathRewriteSpecifier: { case: "pathRedirect", value: path.path } };
    case "prefix":
      return { pathRewriteSpecifier: { case: "prefixRewrite", value: path.replacement } };
    default:
      return unreachable(path);
  }
}

const WELL_KNOWN_PORT = { http: 80, https: 443 } as const;

/**
 * The port for the Location header; 0 leaves it out. By the Gateway API it is the given one, else the well-known one of
 * the given scheme, else the port that was called, and a scheme's own port should not be written. Envoy keeps the port of
 * the request's authority unless it is told one or the scheme changes and the port is the old scheme's own.
 */
function redirectPort(redirect: RequestRedirect, calledPort: number): number {
  const scheme = redirect.scheme ?? "http";
  const wanted = redirect.port ?? (redirect.scheme === undefined ? calledPort : WELL_KNOWN_PORT[redirect.scheme]);
  if (wanted !== WELL_KNOWN_PORT[scheme]) return wanted;
  const envoyLeavesItOut = redirect.hostname !== undefined || calledPort === 80;
  return envoyLeavesItOut ? 0 : wanted;
}

/** A mirror to a backend that does not exist is left out; the route's status says so. */
export function mirrorPolicies(
  { filters, origin }: RouteRule,
  services: KnownServices,
  clusterName: (port: ServicePortAddress) => string,
): MessageInitShape<typeof RouteAction_RequestMirrorPolicySchema>[] {
  return filters.flatMap(({ requestMirror: mirror }) => {
    if (mirror === undefined) return [];
    const backend = resolveBackend(origin, mirror.backendRef, services);
    if (backend.kind === "dangling") return [];
    const fraction = fractionOf(mirror.percent, mirror.fraction);
    return [
      {
        cluster: clusterName(backend.port),
        // The mirror sees the request as the backend does, not one for `<host>-shadow`.
        disableShadowHostSuffixAppend: true,
        ...(fraction === undefined ? {} : { runtimeFraction: { defaultValue: fraction } }),
      },
    ];
  });
}

function fractionOf(
  percent: number | undefined,
  fraction: { readonly numerator: number; readonly denominator?: number } | undefined,
): MessageInitShape<typeof FractionalPercentSchema> | undefined {
  if (percent !== undefined) return { numerator: percent, denominator: FractionalPercent_DenominatorType.HUNDRED };
  if (fraction === undefined) return undefined;
  const millionths = Math.round((fraction.numerator / (fraction.denominator ?? 100)) * 1_000_000);
  return { numerator: millionths, denominator: FractionalPercent_DenominatorType.MILLION };
}

/** A protobuf duration of so many milliseconds. */
export function duration(milliseconds: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(milliseconds / 1000)), nanos: (milliseconds % 1000) * 1_000_000 };
}
