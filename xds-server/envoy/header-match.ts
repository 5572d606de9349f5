import { create } from "@bufbuild/protobuf";
import { type HeaderMatcher, HeaderMatcherSchema } from "../gen/envoy/config/route/v3/route_components_pb.js";
import { StringMatcherSchema } from "../gen/envoy/type/matcher/v3/string_pb.js";
import { RegexMatcherSchema } from "../gen/envoy/type/matcher/v3/regex_pb.js";

/** Matches a header whose whole value matches an RE2 expression. */
export function headerMatches(name: string, regex: string): HeaderMatcher {
  const matcher = create(StringMatcherSchema, { matchPattern: { case: "safeRegex", value: create(RegexMatcherSchema, { regex }) } });
  return create(HeaderMatcherSchema, { name, headerMatchSpecifier: { case: "stringMatch", value: matcher } });
}
