import { create } from "@bufbuild/protobuf";
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
  return excluded.map((failing, index) => [...part, ...excluded.slice(0, index), inverted(failing)]);
}

function inverted(matcher: HeaderMatcher): HeaderMatcher {
  return create(HeaderMatcherSchema, { ...matcher, invertMatch: !matcher.invertMatch });
}
