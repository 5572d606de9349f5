/**
 * Route matches for requests that carry something which looks like a token at a configured place but is not exactly one.
 * Envoy would pass `authorization: bearer <forged>` by as no token at all, and verify only the first of two query
 * parameters of the same name, while the application may read what nobody verified. Headers are matched line by line.
 */
import { create } from "@bufbuild/protobuf";
import { headerMatches } from "../../xds-server/envoy/header-match.ts";
import { type RouteMatch, RouteMatchSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import type { TokenPlace } from "./token-place.ts";

/** The match, or undefined where Envoy itself refuses everything that is not exactly a token. */
export function malformedTokenMatch(place: TokenPlace): RouteMatch | undefined {
  if (place.kind === "query") return whereHeader(":path", repeatedParameter(place.name));
  return place.prefix === "" ? undefined : whereHeader(place.name, inexactPrefix(place.prefix));
}

function whereHeader(name: string, regex: string): RouteMatch {
  return create(RouteMatchSchema, { pathSpecifier: { case: "prefix", value: "/" }, headers: [headerMatches(name, regex)] });
}

const TOKEN_CHARACTER = "[A-Za-z0-9_.-]";
const NO_TOKEN_CHARACTER = "[^A-Za-z0-9_.-]";

/** A line in which the prefix stands, in any case and anywhere, but which is not exactly the prefix and a token. */
function inexactPrefix(prefix: string): string {
  const word = prefix.trimEnd();
  const needsSpace = word.length < prefix.length;
  const anyCase = `(?i:${escaped(word)})${needsSpace ? "[ \\t]" : ""}`;
  const exact = `${escaped(word)}${needsSpace ? " " : ""}`;
  return [
    `.+${anyCase}.*`,
    ...otherCases(word).map((start) => `${start}${needsSpace ? "[ \\t]" : ""}.*`),
    ...(needsSpace ? [`${escaped(word)}\\t.*`] : []),
    `${exact}${TOKEN_CHARACTER}*${NO_TOKEN_CHARACTER}.*`,
  ].join("|");
}

/** Patterns that together match every spelling of `word` that differs from it in case: RE2 knows no negation. */
function otherCases(word: string): readonly string[] {
  return Array.from(word).flatMap((character, index) => {
    const other = character === character.toLowerCase() ? character.toUpperCase() : character.toLowerCase();
    if (other === character) return [];
    const rest = word.slice(index + 1);
    return [`${escaped(word.slice(0, index))}${other}${rest === "" ? "" : `(?i:${escaped(rest)})`}`];
  });
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
