import { claimNameMistake } from "../core/claims.ts";
import { parseDuration } from "../core/duration.ts";
import { fieldAt, itemAt } from "../core/field-path.ts";
import { parseJwks } from "../core/jwks.ts";
import { validateTo } from "../core/match/validate-match.ts";
import { validateTargets } from "../core/target.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import type { AuthenticationPolicy, AuthenticationPolicySpec, JwtProof, TokenSource } from "./schema.ts";
import { issuersByPlace, placeName, placesOf } from "./token-place.ts";

/** More would make every sidecar look into more places for every request than anybody keeps tokens in. */
const MOST_PLACES = 8;

/** Every mistake of a policy whose schema holds. */
export function validate({ spec, metadata }: AuthenticationPolicy): Violation[] {
  return [
    ...validateTargets(spec, metadata),
    ...validateProofs(spec),
    ...(spec.except ?? []).flatMap(({ to }, index) =>
      validateTo(to, fieldAt(itemAt("spec.except", index), "to"), { namespace: metadata.namespace, action: "Other" }),
    ),
  ];
}

function validateProofs(spec: AuthenticationPolicySpec): Violation[] {
  const found: Violation[] = [];
  let mutualTls: number | undefined;
  spec.accept.forEach(({ mutualTLS, jwt }, index) => {
    const path = itemAt("spec.accept", index);
    if (mutualTLS !== undefined) {
      if (mutualTls !== undefined) found.push(violation(path, "Duplicate", `mutualTLS is accepted by item ${mutualTls} already`));
      mutualTls ??= index;
    }
    if (jwt !== undefined) found.push(...validateJwt(jwt, fieldAt(path, "jwt")));
  });
  const acceptsTokens = spec.accept.some(({ jwt }) => jwt !== undefined);
  if (spec.anonymous === "Allow" && !acceptsTokens) {
    found.push(warning("spec.anonymous", "Invalid", "with mutualTLS alone and anonymous callers allowed, this policy refuses nobody"));
  }
  return [...found, ...validatePlaces(spec), ...validateStripping(spec)];
}

/** A token at one place can be of one item only: two of the same issuer would each refuse what the other accepts. */
function validatePlaces(spec: AuthenticationPolicySpec): Violation[] {
  const places = issuersByPlace(spec);
  const found: Violation[] = [];
  if (places.length > MOST_PLACES) {
    found.push(
      violation("spec.accept", "TooMany", `tokens are looked for in ${places.length} places: at most ${MOST_PLACES} are possible`),
    );
  }
  for (const { place, issuers } of places) {
    const first = new Map<string, number>();
    for (const { index, jwt } of issuers) {
      const earlier = first.get(jwt.issuer);
      if (earlier === undefined) first.set(jwt.issuer, index);
      else if (earlier !== index) {
        const message = `${jwt.issuer} is accepted in ${placeName(place)} by item ${earlier} already: list its audiences together`;
        found.push(violation(`${itemAt("spec.accept", index)}.jwt.issuer`, "Duplicate", message));
      }
    }
  }
  const headerPrefixes = new Map<string, string>();
  for (const { place, issuers } of places) {
    if (place.kind !== "header") continue;
    const known = headerPrefixes.get(place.name);
    headerPrefixes.set(place.name, known ?? place.prefix);
    if (known !== undefined && known !== place.prefix) {
      const path = `${itemAt("spec.accept", issuers[0]?.index ?? 0)}.jwt.from`;
      found.push(
        violation(path, "Conflict", `header ${place.name} is read with the prefix "${known}" already: use one prefix for a header`),
      );
    }
  }
  return found;
}

/** A header that is stripped before anything reads it can carry no token. */
function validateStripping(spec: AuthenticationPolicySpec): Violation[] {
  const carriers = new Set(issuersByPlace(spec).flatMap(({ place }) => (place.kind === "header" ? [place.name] : [])));
  return spec.accept.flatMap(({ jwt }, index) =>
    (jwt?.claimsToHeaders ?? []).flatMap(({ header }, at) =>
      carriers.has(header.toLowerCase())
        ? [
            violation(
              `${itemAt(`${itemAt("spec.accept", index)}.jwt.claimsToHeaders`, at)}.header`,
              "Conflict",
              `tokens are read from ${header.toLowerCase()}: a claim needs a header of its own`,
            ),
          ]
        : [],
    ),
  );
}

function validateJwt(jwt: JwtProof, path: string): Violation[] {
  const found: Violation[] = [];
  if (jwt.audiences === undefined) {
    const message = "without audiences, a token that the issuer gave out for any other service is accepted here";
    found.push(warning(fieldAt(path, "audiences"), "Required", message));
  }
  found.push(...validateJwks(jwt.jwks, fieldAt(path, "jwks")));
  if (jwt.maxLifetime !== undefined) {
    const milliseconds = parseDuration(jwt.maxLifetime);
    if (milliseconds === undefined || milliseconds < 1000 || milliseconds % 1000 !== 0) {
      const message = `${JSON.stringify(jwt.maxLifetime)} is not a duration in whole seconds such as 1h or 90s`;
      found.push(violation(fieldAt(path, "maxLifetime"), "Invalid", message));
    }
  }
  jwt.from?.forEach((source, index) => found.push(...validateSource(source, itemAt(fieldAt(path, "from"), index))));
  const names = placesOf(jwt).map(placeName);
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index)
      found.push(violation(itemAt(fieldAt(path, "from"), index), "Duplicate", `${name} is listed already`));
  });
  return [...found, ...validateClaimHeaders(jwt, path)];
}

function validateJwks(jwks: JwtProof["jwks"], path: string): Violation[] {
  if (jwks.inline !== undefined) {
    const at = fieldAt(path, "inline");
    const parsed = parseJwks(jwks.inline);
    if ("error" in parsed) return [violation(at, "Invalid", parsed.error)];
    return parsed.warnings.map((message) => warning(at, "Invalid", message));
  }
  const at = fieldAt(path, "uri");
  const url = URL.parse(jwks.uri ?? "");
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.hash !== "") {
    return [violation(at, "Invalid", "is not the address of a key set, such as https://idp.example.com/jwks")];
  }
  if (url.protocol === "http:") return [warning(at, "Invalid", "keys that come over plain http can be replaced on the way: use https")];
  return [];
}

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
/** What a token may be preceded by: something that can be told apart from the token itself. */
const PREFIX = /^[A-Za-z0-9:=_-]+ ?$/;
const QUERY_NAME = /^[A-Za-z0-9._~-]+$/;

function validateSource({ header, prefix, query }: TokenSource, path: string): Violation[] {
  if ((header === undefined) === (query === undefined)) return [violation(path, "Invalid", "say `header` or `query`, exactly one of them")];
  if (query !== undefined) {
    const found = [warning(fieldAt(path, "query"), "Invalid", "a token in the query ends up in logs and histories: prefer a header")];
    if (prefix !== undefined) found.push(violation(fieldAt(path, "prefix"), "Invalid", "a prefix goes with the header authorization only"));
    if (!QUERY_NAME.test(query)) found.push(violation(fieldAt(path, "query"), "Invalid", "is not a plain parameter name such as token"));
    return found;
  }
  const found: Violation[] = [];
  const name = (header ?? "").toLowerCase();
  if (!HEADER_NAME.test(name)) found.push(violation(fieldAt(path, "header"), "Invalid", "is not the name of a header"));
  else if (NEVER_A_TOKEN.has(name) || isInternal(name)) {
    const how = name === "cookie" ? "tokens in cookies are not supported yet" : `${name} cannot carry a token`;
    found.push(violation(fieldAt(path, "header"), name === "cookie" ? "NotSupported" : "Invalid", how));
  }
  if (prefix !== undefined && name !== "authorization") {
    const message = "a prefix goes with the header authorization only: elsewhere the whole value is the token";
    found.push(violation(fieldAt(path, "prefix"), "Invalid", message));
  } else if (prefix !== undefined && !PREFIX.test(prefix)) {
    const message = 'must be a word, with at most one space behind it, such as "Bearer "';
    found.push(violation(fieldAt(path, "prefix"), "Invalid", message));
  }
  return found;
}

/** Headers that frame or route a request: removing or trusting them would break more than authentication. */
const FRAMING = ["host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "content-type"];
const NEVER_A_TOKEN: ReadonlySet<string> = new Set([...FRAMING, "cookie"]);
const NEVER_FROM_A_CLAIM: ReadonlySet<string> = new Set([...FRAMING, "cookie", "authorization", "x-request-id"]);

function isInternal(name: string): boolean {
  return /^x-(seawall|envoy|forwarded|ratelimit)(-|$)/.test(name);
}

function validateClaimHeaders({ claimsToHeaders = [] }: JwtProof, path: string): Violation[] {
  const seen = new Map<string, number>();
  return claimsToHeaders.flatMap(({ claim, header }, index) => {
    const at = itemAt(fieldAt(path, "claimsToHeaders"), index);
    const found: Violation[] = [];
    const mistake = claimNameMistake(claim);
    if (mistake !== undefined) found.push(violation(fieldAt(at, "claim"), "Invalid", mistake));
    const name = header.toLowerCase();
    if (!HEADER_NAME.test(name)) found.push(violation(fieldAt(at, "header"), "Invalid", "is not the name of a header"));
    else if (NEVER_FROM_A_CLAIM.has(name) || isInternal(name)) {
      found.push(violation(fieldAt(at, "header"), "Invalid", `${name} has a meaning of its own: choose a header such as x-user`));
    }
    const earlier = seen.get(name);
    if (earlier !== undefined) found.push(violation(fieldAt(at, "header"), "Duplicate", `${name} is set from claim ${earlier} already`));
    seen.set(name, earlier ?? index);
    return found;
  });
}
