import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import type { StringMatcherSchema } from "../../xds-server/gen/envoy/type/matcher/v3/string_pb.js";
import { unreachable } from "../core/unreachable.ts";
import type { RouteMatch, ValueMatch } from "./rules.ts";
import type { RouteFilter } from "./schema.ts";

type MatchInit = MessageInitShape<typeof RouteMatchSchema>;

export type PathChange =
  | { readonly kind: "none" }
  | { readonly kind: "full"; readonly path: string }
  /** What Envoy's matched prefix is replaced with. */
  | { readonly kind: "prefix"; readonly replacement: string };

/** A match as Envoy has it, with the change of the path that belongs to it. */
export interface PlacedMatch {
  readonly match: MatchInit;
  readonly path: PathChange;
}

/**
 * The Envoy matches of one Gateway API match. It takes two where a prefix is cut off: Envoy replaces the matched text and
 * nothing else, and `/shop/cart` without `/shop` must stay `/cart` while `/shop` becomes `/`.
 */
export function placeMatch(match: RouteMatch, filters: readonly RouteFilter[]): readonly PlacedMatch[] {
  const conditions: MatchInit = {
    headers: [...(match.method === undefined ? [] : [methodMatcher(match.method)]), ...match.headers.map(headerMatcher)],
    queryParameters: match.queryParams.map(queryMatcher),
  };
  const modifier = filters.flatMap((filter) => filter.urlRewrite?.path ?? filter.requestRedirect?.path ?? [])[0];
  const { value } = match.path;
  const at = (pathSpecifier: MatchInit["pathSpecifier"], path: PathChange): PlacedMatch => {
    return { match: { ...conditions, ...(pathSpecifier === undefined ? {} : { pathSpecifier }) }, path };
  };
  const fullOrNone: PathChange =
    modifier?.replaceFullPath === undefined ? { kind: "none" } : { kind: "full", path: modifier.replaceFullPath };
  switch (match.path.type) {
    case "Exact":
      return [at({ case: "path", value }, fullOrNone)];
    case "RegularExpression":
      return [at({ case: "safeRegex", value: { regex: value } }, fullOrNone)];
    case "PathPrefix": {
      const replacement = modifier?.replacePrefixMatch?.replace(/\/$/, "");
      if (value === "") {
        const change: PathChange =
          replacement === undefined || replacement === "" ? fullOrNone : { kind: "prefix", replacement: `${replacement}/` };
        return [at({ case: "prefix", value: "/" }, change)];
      }
      if (replacement === "") {
        return [
          at({ case: "path", value }, { kind: "full", path: "/" }),
          at({ case: "prefix", value: `${value}/` }, { kind: "prefix", replacement: "/" }),
        ];
      }
      return [at({ case: "pathSeparatedPrefix", value }, replacement === undefined ? fullOrNone : { kind: "prefix", replacement })];
    }
    default:
      return unreachable(match.path.type);
  }
}

function methodMatcher(method: string): MessageInitShape<typeof HeaderMatcherSchema> {
  return headerMatcher({ type: "Exact", name: ":method", value: method });
}

/** Envoy knows the Host header, over HTTP/1 too, as :authority. */
function headerMatcher(header: ValueMatch): MessageInitShape<typeof HeaderMatcherSchema> {
  const name = header.name === "host" ? ":authority" : header.name;
  return { name, headerMatchSpecifier: { case: "stringMatch", value: stringMatcher(header) } };
}

function queryMatcher(param: ValueMatch): MessageInitShape<typeof QueryParameterMatcherSchema> {
  return { name: param.name, queryParameterMatchSpecifier: { case: "stringMatch", value: stringMatcher(param) } };
}

function stringMatcher({ type, value }: ValueMatch): MessageInitShape<typeof StringMatcherSchema> {
  switch (type) {
    case "Exact":
      return { matchPattern: { case: "exact", value } };
    case "RegularExpression":
      return { matchPattern: { case: "safeRegex", value: { regex: value } } };
    default:
      return unreachable(type);
  }
}
