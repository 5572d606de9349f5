/**
 * Route matches for requests that carry something which looks like a token at a configured place but is not exactly one.
 * Envoy would pass `authorization: bearer <forged>` by as no token at all, and verify only the first of two query
 * parameters of the same name, while the application may read what nobody verified.
 */
import { create } from "@bufbuild/protobuf";
import { headerMatches } from "../../xds-server/envoy/header-match.ts";
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type RouteMatch,
  RouteMatchSchema,
} from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import type { TokenPlace } from "./token-place.ts";

/** The match, or undefined where Envoy itself refuses everything that is not exactly a token. */
export function malformedTokenMatch(place: TokenPlace): RouteMatch | undefined {
  if (place.kind === "query") return matchOf([headerMatches(":path", repeatedParameter(place.name))]);
  return place.prefix === "" ? undefined : matchOf([mention(place), notExactly(place)]);
}

function matchOf(headers: HeaderMatcher[]): RouteMatch {
  return create(RouteMatchSchema, { pathSpecifier: { case: "prefix", value: "/" }, headers });
}

type PrefixedHeader = Extract<TokenPlace, { kind: "header" }>;

/** The prefix stands somewhere, in any case, with any white space behind. `\C` is any byte: a value need not be UTF-8. */
function mention({ name, prefix }: PrefixedHeader): HeaderMatcher {
  const word = prefix.trimEnd();
  return headerMatches(name, `\\C*(?i:${escaped(word)})${word.length < prefix.length ? "[ \\t]" : ""}\\C*`);
}

/** Lines of `authorization` are one value by then, so what is inverted here is about all of them. */
function notExactly({ name, prefix }: PrefixedHeader): HeaderMatcher {
  return create(HeaderMatcherSchema, { ...headerMatches(name, `${escaped(prefix)}[A-Za-z0-9_.-]+`), invertMatch: true });
}

/** A path whose query names the parameter twice, however the name is escaped. */
function repeatedParameter(name: string): string {
  const spelled = Array.from(name, anyEscape).join("");
  return `[^?]*\\?(?:.*&)?${spelled}(?:=[^&]*)?&(?:.*&)?${spelled}(?:[=&].*)?`;
}

function anyEscape(character: string): string {
  const digits = Array.from(character.charCodeAt(0).toString(16), (digit) =>
    /[a-f]/.test(digit) ? `[${digit}${digit.toUpperCase()}]` : digit,
  );
  return `(?:${escaped(character)}|%${digits.join("")})`;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}
