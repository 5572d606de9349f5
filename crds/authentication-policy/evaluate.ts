/**
 * Who has proven what, in plain words: the answer of an AuthenticationPolicy to one request. A token that is presented at
 * a configured place must verify, whatever else is presented; without `anonymous: Allow` there must be a proof.
 */
import type { CalledPort, PolicyRequest, VerifiedJwt } from "../core/request.ts";
import type { To } from "../core/match.ts";
import { unmetTo } from "../core/match/evaluate-to.ts";
import type { JwksOf } from "./jwks-state.ts";
import { parseJwks } from "../core/jwks.ts";
import { readTokens } from "./read-tokens.ts";
import type { AuthenticationPolicySpec, JwtProof } from "./schema.ts";
import { type IssuersOfPlace, issuersByPlace, placeName } from "./token-place.ts";
import { type TokenVerdict, verifyToken } from "./verify-token.ts";

/** What was found at one place. A place without a token is not listed. */
export interface PlaceVerdict {
  /** Says where, as a person reads it. */
  readonly place: string;
  readonly verdict: ValidTokens | { readonly valid: false; readonly why: string };
}

/** The token whose claims count, and those of the same issuer that came beside it. */
export interface ValidTokens {
  readonly valid: true;
  readonly jwt: VerifiedJwt;
  readonly more?: readonly VerifiedJwt[];
}

export type AuthenticationResult =
  | {
      readonly outcome: "proceed";
      /** One for each issuer; where several places carry the same issuer's, the first place's. */
      readonly jwts: readonly VerifiedJwt[];
      readonly reason: string;
    }
  | { readonly outcome: "refused"; readonly status: 401; readonly reason: string };

/** Decides on what was presented; the places in the policy's order. */
export function evaluate(
  spec: AuthenticationPolicySpec,
  request: PolicyRequest,
  port: CalledPort,
  presented: readonly PlaceVerdict[],
): AuthenticationResult {
  if ((spec.except ?? []).some(({ to }) => to.some((item) => toMatches(item, request, port)))) {
    return { outcome: "proceed", jwts: [], reason: "an exception: no proof is needed, and tokens are not read" };
  }
  const jwts = new Map<string, VerifiedJwt>();
  for (const { place, verdict } of presented) {
    if (!verdict.valid) return refused(`the token in ${place} is refused: ${verdict.why}`);
    if (!jwts.has(verdict.jwt.issuer)) jwts.set(verdict.jwt.issuer, verdict.jwt);
  }
  const proceed = (reason: string): AuthenticationResult => ({ outcome: "proceed", jwts: [...jwts.values()], reason });
  if (jwts.size > 0) return proceed(`a valid token of ${[...jwts.keys()].join(" and of ")}`);
  if (request.identity !== undefined && spec.accept.some(({ mutualTLS }) => mutualTLS !== undefined)) {
    return proceed("a mesh identity, proven by mutual TLS");
  }
  if (spec.anonymous === "Allow") return proceed("without a proof, as anonymous callers may");
  return refused("no proof that is accepted here was presented");
}

function toMatches(to: To, request: PolicyRequest, port: CalledPort): boolean {
  return unmetTo(to, request, { namespace: undefined, trustDomain: "", port, unknown: false }).length === 0;
}

function refused(reason: string): AuthenticationResult {
  return { outcome: "refused", status: 401, reason };
}

/** Reads and verifies the tokens of a raw request. `now` is seconds since 1970. */
export async function presentedTokens(
  spec: AuthenticationPolicySpec,
  request: Pick<PolicyRequest, "path" | "headers">,
  jwksOf: JwksOf,
  now: number,
): Promise<PlaceVerdict[]> {
  const verdicts: PlaceVerdict[] = [];
  for (const ofPlace of issuersByPlace(spec)) {
    const found = readTokens(request, ofPlace.place);
    if (found === undefined) continue;
    const verdict =
      found.kind === "malformed" ? ({ valid: false, why: found.why } as const) : await verifyAll(found.tokens, ofPlace, jwksOf, now);
    verdicts.push({ place: placeName(ofPlace.place), verdict });
  }
  return verdicts;
}

/** Several tokens at one place must all be of one issuer and valid; the first one's claims count. */
async function verifyAll(
  tokens: readonly string[],
  { issuers }: IssuersOfPlace,
  jwksOf: JwksOf,
  now: number,
): Promise<PlaceVerdict["verdict"]> {
  let why = "its issuer is not accepted here";
  for (const { jwt } of issuers) {
    const verdicts = await Promise.all(tokens.map((token) => verdictOf(token, jwt, jwksOf, now)));
    const [token, ...more] = verdicts.flatMap((verdict) => (verdict.valid ? [{ issuer: verdict.issuer, claims: verdict.claims }] : []));
    if (token !== undefined && more.length + 1 === tokens.length) return { valid: true, jwt: token, more };
    const mine = verdicts.find((verdict) => !verdict.valid && !verdict.otherIssuer);
    if (mine !== undefined && !mine.valid) why = mine.why;
  }
  return { valid: false, why };
}

async function verdictOf(token: string, jwt: JwtProof, jwksOf: JwksOf, now: number): Promise<TokenVerdict> {
  if (jwt.jwks.uri === undefined) {
    const parsed = parseJwks(jwt.jwks.inline ?? "");
    return "keys" in parsed ? verifyToken(token, jwt, parsed.keys, now) : { valid: false, why: parsed.error, otherIssuer: false };
  }
  const state = jwksOf(jwt.jwks.uri);
  if (state.state === "good") return verifyToken(token, jwt, state.keys, now);
  return { valid: false, why: `the keys of ${jwt.issuer} are not there (${state.error})`, otherIssuer: false };
}

/** The issuers whose tokens the policy accepts, each once, in its order. */
export function acceptedIssuers(spec: AuthenticationPolicySpec): readonly string[] {
  return [...new Set(spec.accept.flatMap(({ jwt }) => (jwt === undefined ? [] : [jwt.issuer])))];
}
