import { create, equals } from "@bufbuild/protobuf";
import { type HeaderMatcher, HeaderMatcherSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";

/** Matchers that must all hold. */
type Conjunction = readonly HeaderMatcher[];

/**
 * Alternatives that match what `alternatives` match, but of which no request matches two: Envoy would charge a request
 * once for each. What an earlier alternative matches is taken out of the later ones, one matcher at a time.
 */
export function disjoint(alternatives: readonly Conjunction[]): Conjunction[] {
  return alternatives.flatMap((alternative, index) =>
    alternatives.slice(0, index).reduce<Conjunction[]>((parts, earlier) => parts.flatMap((part) => without(part, earlier)), [alternative]),
  );
}

/** `part` and not `excluded`: its first matcher fails, or the first holds and the second fails, and so on. */
function without(part: Conjunction, excluded: Conjunction): Conjunction[] {
  return excluded.flatMap((failing, index) => {
    const conjunction = joined(part, [...excluded.slice(0, index), inverted(failing)]);
    return conjunction === undefined ? [] : [conjunction];
  });
}

/** Both, without repetition; undefined when one contradicts the other. */
function joined(part: Conjunction, more: Conjunction): Conjunction | undefined {
  const all = [...part];
  for (const matcher of more) {
    if (all.some((known) => equals(HeaderMatcherSchema, known, inverted(matcher)))) return undefined;
    if (!all.some((known) => equals(HeaderMatcherSchema, known, matcher))) all.push(matcher);
  }
  return all;
}

function inverted(matcher: HeaderMatcher): HeaderMatcher {
  return create(HeaderMatcherSchema, { ...matcher, invertMatch: !matcher.invertMatch });
}
