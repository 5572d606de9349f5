import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { RE2JS } from "re2js";
import { BAD_PATH, canonicalPath } from "./canonical-path.ts";
import { matchesPath, onlyPath, parsePathTemplate, pathTemplate, toRegex } from "./path-template.ts";

function mistake(text: string): string | undefined {
  const parsed = parsePathTemplate(text);
  return parsed.kind === "mistake" ? parsed.message : undefined;
}

describe("path templates", () => {
  it.each([
    ["/", ["/"], ["//", "/a"]],
    ["/orders", ["/orders"], ["/orders/", "/Orders", "/orders/1", "/order"]],
    ["/orders/", ["/orders/"], ["/orders"]],
    ["/orders/{id}", ["/orders/1", "/orders/a.b"], ["/orders/", "/orders", "/orders/1/", "/orders/1/2"]],
    ["/a/**", ["/a", "/a/", "/a/b", "/a/b/c/"], ["/ab", "/", "/A"]],
    ["/**", ["/", "//", "/a", "/a/"], []],
    ["/{x}/**", ["/a", "/a/", "/a/b"], ["/", "//"]],
    ["/caf%C3%A9", ["/caf%C3%A9", "/caf%c3%a9"], ["/cafe"]],
    ["/a.b+(c)$[1]", ["/a.b+(c)$[1]"], ["/axb+(c)$[1]"]],
  ])("%s covers what it says", (text, covered, others) => {
    const template = pathTemplate(text);
    const regex = RE2JS.compile(toRegex(template));
    for (const path of covered) expect([path, matchesPath(template, path), regex.matches(path)]).toEqual([path, true, true]);
    for (const path of others) expect([path, matchesPath(template, path), regex.matches(path)]).toEqual([path, false, false]);
  });

  it.each([
    ["orders", 'a path begins with "/": write `/orders`'],
    ["*", 'a path begins with "/": write `/**` for every path'],
    ["/orders?x=1", "paths are compared without the query: write `/orders`"],
    ["/orders#top", "a request has no fragment: leave out `#` and what follows it"],
    ["/orders/*", "write `/orders/{name}` for one segment, or `/orders/**` for everything from `/orders` on"],
    ["/*", "write `/{name}` for one segment, or `/**` for everything from `/` on"],
    ["/a/**/b", "`**` stands only at the end; `{name}` stands for one segment"],
    ["/img*", "`*` stands only in a last `/**`, for whole segments: write `/**`, or each path"],
    ["/a/{x}/b/{x}", "the variable {x} occurs twice: give each segment its own name"],
    ["/a/{x}.json", "`{x}.json` is not a variable: `{name}` of letters, digits and _ stands for a whole segment"],
    ["/a/{x=**}", "`*` stands only in a last `/**`, for whole segments: write `/a/**`, or each path"],
    ["/users/:id", "write `{id}` for a variable segment"],
    ["/%61dmin/{x}/**", "requests are compared in canonical spelling: write `/admin/{x}/**`"],
    ["/caf\u00e9", "requests are compared in canonical spelling: write `/caf%C3%A9`"],
    ["/caf%c3%a9", "requests are compared in canonical spelling: write `/caf%C3%A9`"],
    ["//a", "requests are compared in canonical spelling: write `/a`"],
    ["/a/../b", "requests are compared in canonical spelling: write `/b`"],
    ["/a/%2e%2e;/b", "requests are compared in canonical spelling: write `/b`"],
    ["/a b", "requests are compared in canonical spelling: write `/a%20b`"],
    ["/a\\b", "requests are compared in canonical spelling: write `/a/b`"],
    ["/a%2fb", "requests with an encoded slash, backslash or NUL are refused with 400 before any policy"],
    ["/100%", "a percent sign begins an escape such as %20; itself it is %25"],
  ])("refuses %s and says how to write it", (text, message) => {
    expect(mistake(text)).toBe(message);
  });

  const segment = fc.constantFrom(
    "a",
    "b",
    "ab",
    "a.b",
    "..",
    ".",
    "",
    "%41",
    "%c3%a9",
    "%C3",
    "x;y",
    "[a]",
    "+",
    "(",
    "\\",
    "{",
    "^",
    "é",
  );
  const templateText = fc
    .tuple(fc.array(fc.oneof(segment, fc.constantFrom("{x}", "{y}"))), fc.constantFrom("", "/", "/**"))
    .map(([segments, end]) => segments.map((one) => `/${one}`).join("") + end)
    .filter((text) => parsePathTemplate(text).kind === "template");
  const received = fc.array(segment).map((segments) => `/${segments.join("/")}`);

  it("means the same to matchesPath as to its regular expression, for every canonical path", () => {
    fc.assert(
      fc.property(templateText, received, (text, path) => {
        const canonical = canonicalPath(path);
        if (canonical === BAD_PATH) return;
        const template = pathTemplate(text);
        expect(matchesPath(template, canonical)).toBe(RE2JS.compile(toRegex(template)).matches(canonical));
      }),
      { numRuns: 3000 },
    );
  });

  it("accepts every exact path in the spelling in which a request arrives, and matches it", () => {
    fc.assert(
      fc.property(received, (path) => {
        const canonical = canonicalPath(path);
        if (canonical === BAD_PATH || /[{}*]|%(?![0-9A-F]{2})|\/\.\.?;|\/\//.test(canonical)) return;
        expect(mistake(canonical)).toBeUndefined();
        expect(matchesPath(pathTemplate(canonical), canonical)).toBe(true);
        expect(onlyPath(pathTemplate(canonical))).toBe(canonical.includes("%") ? undefined : canonical);
      }),
    );
  });
});
