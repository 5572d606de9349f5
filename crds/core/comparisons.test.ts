/** Hosts, ranges, suggestions: what is compared with what. */
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { RE2JS } from "re2js";
import { cidrMistake, inRanges } from "./cidr.ts";
import { hostMatches, hostMistake, hostRegex } from "./hosts.ts";
import { editDistance, nearest } from "./suggest.ts";

describe("hosts", () => {
  it("mean the same to hostMatches as to their regular expression, for every authority", () => {
    const piece = fc.constantFrom("a", "B", "x", "example.com", "Example.COM", ".", "..", ":", ":80", "*", "[::1]", "-", "_", "@", ",");
    const authority = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(""));
    const pattern = fc.constantFrom("a", "x.example.com", "*.example.com", "example.com", "[::1]");
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 3 }), authority, (patterns, host) => {
        const matches = RE2JS.compile(hostRegex(patterns)).matches(host);
        expect(matches).toBe(patterns.some((one) => hostMatches(one, host)));
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ["*.example.com", "a.b.example.com", true],
    ["*.example.com", "example.com", false],
    ["*.example.com", ".example.com", false],
    ["example.com", "EXAMPLE.com.:8080", true],
    ["example.com", "example.com..", false],
  ])("%s covers %s: %j", (pattern, authority, expected) => {
    expect(hostMatches(pattern, authority)).toBe(expected);
  });

  it.each([
    ["orders.shop", undefined],
    ["*.x", undefined],
    ["https://Orders.shop:80/", "hosts are compared in lower case, without scheme, port, path and trailing dot: write `orders.shop`"],
    ["a.*.b", "is not a host name such as `orders.shop` or `*.example.com`"],
  ])("%s: %s", (pattern, message) => {
    expect(hostMistake(pattern)).toBe(message);
  });
});

describe("address ranges", () => {
  it.each([
    ["10.1.2.3", ["10.0.0.0/8"], true],
    ["::ffff:10.1.2.3", ["10.0.0.0/8"], true],
    ["11.1.2.3", ["10.0.0.0/8", "fd00::/8"], false],
    ["fd12::1", ["10.0.0.0/8", "fd00::/8"], true],
    ["10.1.2.3", ["::/0"], false],
    ["not an address", ["0.0.0.0/0"], false],
  ])("%s is in %j: %j", (address, ranges, expected) => {
    expect(inRanges(address, ranges)).toBe(expected);
  });

  it.each([
    ["::ffff:10.0.0.0/104", "write an IPv4 range as IPv4"],
    ["fd00::1/8", "has bits set after its first 8: write `fd00::/8`"],
    ["1.2.3.4/33", "is not an address range such as `10.0.0.0/8` or `fd00::/8`"],
    ["010.0.0.0/8", "is not an address range such as `10.0.0.0/8` or `fd00::/8`"],
    ["0.0.0.0/0", undefined],
    ["::/0", undefined],
  ])("%s: %s", (range, message) => {
    expect(cidrMistake(range)).toBe(message);
  });
});

describe("suggestions", () => {
  it("count a swap of neighbours as one edit, and ignore case", () => {
    expect([editDistance("GTE", "GET"), editDistance("paths", "PATHS"), editDistance("", "abc"), editDistance("pathes", "paths")]).toEqual([
      1, 0, 3, 1,
    ]);
  });

  it("are made only for what is near", () => {
    expect([nearest("GTE", ["PUT", "GET"]), nearest("x", ["GET"]), nearest("Reject", ["Allow", "Deny"])]).toEqual([
      "GET",
      undefined,
      undefined,
    ]);
  });
});
