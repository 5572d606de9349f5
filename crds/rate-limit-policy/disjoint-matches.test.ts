import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { headerMatches } from "../../xds-server/envoy/header-match.ts";
import type { HeaderMatcher } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { disjoint } from "./disjoint-matches.ts";

/** A request is the set of the headers that match. */
const holds = (matchers: readonly HeaderMatcher[], request: ReadonlySet<string>): boolean =>
  matchers.every(({ name, invertMatch }) => request.has(name) !== invertMatch);

const names = ["a", "b", "c", "d", "e"];
const alternatives = fc.array(fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 });
const requests = fc.subarray(names).map((matching) => new Set(matching));

it("matches what the alternatives match, and no request twice", () => {
  fc.assert(
    fc.property(alternatives, requests, (wanted, request) => {
      const given = wanted.map((conjunction) => conjunction.map((name) => headerMatches(name, "x")));
      const expected = given.some((conjunction) => holds(conjunction, request)) ? 1 : 0;
      expect(disjoint(given).filter((conjunction) => holds(conjunction, request))).toHaveLength(expected);
    }),
  );
});

it("grows by one matcher for each alternative that differs in one header only", () => {
  const methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"].map((method) => [headerMatches(":method", method)]);
  expect(disjoint(methods).map((conjunction) => conjunction.length)).toEqual([1, 2, 3, 4, 5, 6]);
});
