/** Ways to bend a request: each is what an attacker, a sloppy client or an unlucky one would send. */
import { CLAIM_VALUES, HEADER_VALUES, HEADERS, IDENTITIES, ISSUERS, METHODS, PEERS } from "./cast.ts";
import type { OracleRequest } from "./oracle-request.ts";
import type { Picker } from "./picker.ts";
import { TOKEN_FAULTS, type TokenPresentation } from "./token-presentation.ts";

type Bend = (request: OracleRequest, pick: Picker) => OracleRequest;

const path =
  (change: (path: string, pick: Picker) => string): Bend =>
  (request, pick) => {
    const query = request.path.indexOf("?");
    const [before, after] = query === -1 ? [request.path, ""] : [request.path.slice(0, query), request.path.slice(query)];
    return { ...request, path: change(before, pick) + after };
  };

/** Puts `text` after one of the slashes. */
const afterSlash = (text: string): Bend =>
  path((before, pick) => {
    const slashes = [...before.matchAll(/\//g)].map((slash) => slash.index + 1);
    const at = pick.optionally(slashes) ?? before.length;
    return before.slice(0, at) + text + before.slice(at);
  });

/** Replaces one character, the one that the picker says, by something made of it. */
const atCharacter = (change: (character: string) => string): Bend =>
  path((before, pick) => {
    const at = pick.below(before.length);
    return before.slice(0, at) + change(before.charAt(at)) + before.slice(at + 1);
  });

const percent = (character: string): string => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`;

const authority =
  (change: (authority: string) => string): Bend =>
  (request) => ({ ...request, authority: change(request.authority) });

/** Changes the lines of one header: one that the request has, or else one of the cast. */
const header =
  (change: (value: string, name: string, pick: Picker) => readonly (readonly [string, string])[]): Bend =>
  (request, pick) => {
    const present = request.headers[pick.below(request.headers.length)];
    const [name, value] = present ?? [pick.from(HEADERS), pick.from(HEADER_VALUES)];
    return { ...request, headers: [...request.headers.filter((line) => line !== present), ...change(value, name, pick)] };
  };

const token =
  (change: (present: TokenPresentation, pick: Picker) => readonly TokenPresentation[]): Bend =>
  (request, pick) => {
    const sound: TokenPresentation = { issuer: pick.from(ISSUERS), claims: { sub: "mallory" }, fault: "none" };
    const [present = sound, ...rest] = request.tokens;
    return { ...request, tokens: [...change(present, pick), ...rest] };
  };

const BROKEN = TOKEN_FAULTS.filter((fault) => fault !== "none");

const BENDS = {
  "other-method": (request, pick) => ({ ...request, method: pick.from(METHODS) }),
  "lower-case-method": (request) => ({ ...request, method: request.method.toLowerCase() }),
  "longer-method": (request) => ({ ...request, method: `${request.method}X` }),
  "other-path": path((_, pick) => pick.from(["/", "/orders", "/admin", "/a/b", "/%20", "/orders/7/items"])),
  "trailing-slash": path((before) => `${before}/`),
  "no-trailing-slash": path((before) => before.replace(/\/$/, "") || "/"),
  "one-segment-more": path((before) => `${before}/x`),
  "one-segment-less": path((before) => before.slice(0, before.lastIndexOf("/")) || "/"),
  "double-slash": afterSlash("/"),
  "dot-segment": afterSlash("./"),
  "up-and-back": afterSlash("x/../"),
  "above-the-root": path((before) => `/../..${before}`),
  "encoded-up-and-back": afterSlash("x/%2e%2E/"),
  "up-with-parameter": afterSlash("x/..;p=1/"),
  "encoded-up-with-parameter": afterSlash("x/%2e%2E;p=1/"),
  "encoded-dot-with-parameter": afterSlash("%2E;/"),
  "slash-as-backslash": path((before) => `/${before.slice(1).replace("/", "\\")}`),
  "slash-encoded": path((before) => `/${before.slice(1).replace("/", "%2F")}`),
  "backslash-encoded": afterSlash("%5c"),
  "letter-encoded": atCharacter((character) => (/[A-Za-z0-9]/.test(character) ? percent(character) : character)),
  "letter-encoded-twice": atCharacter((character) => (/[A-Za-z0-9]/.test(character) ? `%25${percent(character).slice(1)}` : character)),
  "letter-in-other-case": atCharacter((character) =>
    character === character.toLowerCase() ? character.toUpperCase() : character.toLowerCase(),
  ),
  "lone-percent": afterSlash("%"),
  "broken-escape": afterSlash("%4"),
  "not-hexadecimal": afterSlash("%zz"),
  nul: afterSlash("%00"),
  "line-feed-encoded": afterSlash("%0a"),
  "raw-non-ascii": afterSlash("ä"),
  "encoded-non-ascii": afterSlash("%c3%a4"),
  "overlong-slash": afterSlash("%c0%af"),
  "matrix-parameter": path((before) => `${before};a=b`),
  braces: afterSlash("{}"),
  brackets: afterSlash("[x]"),
  query: (request) => ({ ...request, path: `${request.path}?a=b` }),
  "query-like-a-path": (request) => ({ ...request, path: `${request.path}?/../admin` }),
  "query-encoded": path((before) => `${before}%3Fa=b`),
  fragment: (request) => ({ ...request, path: `${request.path}#x` }),
  long: path((before) => `${before}/${"a".repeat(2_000)}`),
  "host-in-upper-case": authority((host) => host.toUpperCase()),
  "host-with-port": authority((host) => `${host}:8080`),
  "host-with-empty-port": authority((host) => `${host}:`),
  "host-with-trailing-dot": authority((host) => `${host}.`),
  "host-with-dot-and-port": authority((host) => `${host}.:80`),
  "host-below": authority((host) => `sub.${host}`),
  "host-beside": authority((host) => `evil-${host}`),
  "host-with-suffix": authority((host) => `${host}.evil.example`),
  "other-host": (request, pick) => ({
    ...request,
    authority: pick.from(["example.com", "api.example.com", "other", "127.0.0.1", "[::1]:80"]),
  }),
  "no-header": header(() => []),
  "header-of-other-value": header((_, name, pick) => [[name, pick.from(HEADER_VALUES)]]),
  "header-twice": header((value, name, pick) => [
    [name, value],
    [name, pick.from(HEADER_VALUES)],
  ]),
  "header-twice-reversed": header((value, name, pick) => [
    [name, pick.from(HEADER_VALUES)],
    [name, value],
  ]),
  "header-joined": header((value, name, pick) => [[name, `${pick.from(HEADER_VALUES)}, ${value}`]]),
  "header-joined-tight": header((value, name, pick) => [[name, `${value},${pick.from(HEADER_VALUES)}`]]),
  "header-joined-to-a-raw-byte": header((value, name) => [[name, `\xff, ${value}`]]),
  "header-padded": header((value, name) => [[name, `  ${value}\t`]]),
  "header-in-upper-case": header((value, name) => [[name.toUpperCase(), value]]),
  "header-empty": header((_, name) => [[name, ""]]),
  "header-longer": header((value, name) => [[name, `${value}x`]]),
  "no-identity": (request) => ({ ...request, identity: undefined }),
  "other-identity": (request, pick) => ({ ...request, identity: pick.from(IDENTITIES) }),
  "other-peer": (request, pick) => ({ ...request, peerAddress: pick.from(PEERS) }),
  "no-token": (request) => ({ ...request, tokens: [] }),
  "broken-token": token((present, pick) => [{ ...present, fault: pick.from(BROKEN) }]),
  "token-of-other-issuer": token((present) => [
    { ...present, issuer: ISSUERS.find((issuer) => issuer !== present.issuer) ?? present.issuer },
  ]),
  "token-twice": token((present) => [present, present]),
  "sound-token-then-broken": token((present, pick) => [present, { ...present, fault: pick.from(BROKEN) }]),
  "broken-token-then-sound": token((present, pick) => [{ ...present, fault: pick.from(BROKEN) }, present]),
  "token-with-few-claims": token((present) => [{ ...present, claims: { sub: "mallory" } }]),
  "claim-of-other-type": token((present, pick) => [
    { ...present, claims: mapped(present.claims, () => pick.from<unknown>([7, true, null, {}, [], [7]])) },
  ]),
  "claim-of-other-value": token((present, pick) => [{ ...present, claims: mapped(present.claims, () => pick.from(CLAIM_VALUES)) }]),
  "claim-in-a-list-of-lists": token((present) => [{ ...present, claims: mapped(present.claims, (value) => [[value]]) }]),
  "claim-with-dots-as-keys": token((present) => [
    { ...present, claims: { ...present.claims, "realm.roles": "admin", "/realm/roles": "admin" } },
  ]),
} as const satisfies Record<string, Bend>;

export type Mutation = keyof typeof BENDS;
export const MUTATIONS = Object.keys(BENDS) as readonly Mutation[];

export function mutate(request: OracleRequest, mutation: Mutation, pick: Picker): OracleRequest {
  return BENDS[mutation](request, pick);
}

function mapped(claims: Readonly<Record<string, unknown>>, change: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).map(([name, value]) => [name, name === "sub" ? value : change(value)]));
}
