/**
 * Where tokens are looked for. The same place may carry tokens of several issuers, so a place is a thing of its own and
 * the issuers are listed under it.
 */
import type { AuthenticationPolicySpec, JwtProof, TokenSource } from "./schema.ts";

export type TokenPlace =
  | {
      readonly kind: "header";
      /** Lower case. */
      readonly name: string;
      /** Of `authorization` only; empty elsewhere, where the whole value is the token. */
      readonly prefix: string;
    }
  | { readonly kind: "query"; readonly name: string };

/** One `jwt` item of `accept`, by its index there: two items may name the same issuer. */
export interface AcceptedIssuer {
  readonly index: number;
  readonly jwt: JwtProof;
}

export interface IssuersOfPlace {
  readonly place: TokenPlace;
  readonly issuers: readonly AcceptedIssuer[];
}

const DEFAULT_SOURCE: TokenSource = { header: "authorization", prefix: "Bearer " };

/** The places that a `jwt` item lists, or the default one. */
export function placesOf(jwt: JwtProof): readonly TokenPlace[] {
  return (jwt.from ?? [DEFAULT_SOURCE]).map(placeOf);
}

function placeOf({ header, prefix, query }: TokenSource): TokenPlace {
  if (query !== undefined) return { kind: "query", name: query };
  const name = (header ?? "").toLowerCase();
  return { kind: "header", name, prefix: name === "authorization" ? (prefix ?? "Bearer ") : "" };
}

/** Every place of a policy in the order of its first mention. */
export function issuersByPlace(spec: AuthenticationPolicySpec): readonly IssuersOfPlace[] {
  const byKey = new Map<string, { place: TokenPlace; issuers: AcceptedIssuer[] }>();
  spec.accept.forEach(({ jwt }, index) => {
    if (jwt === undefined) return;
    for (const place of placesOf(jwt)) {
      const known = byKey.get(placeName(place));
      if (known === undefined) byKey.set(placeName(place), { place, issuers: [{ index, jwt }] });
      else known.issuers.push({ index, jwt });
    }
  });
  return [...byKey.values()];
}

/** Says where: `header authorization (Bearer )`, `query token`. Different places have different names. */
export function placeName(place: TokenPlace): string {
  if (place.kind === "query") return `query ${place.name}`;
  return `header ${place.name}${place.prefix === "" ? "" : ` (${place.prefix})`}`;
}
