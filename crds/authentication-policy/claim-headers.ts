/**
 * What the rules behind an AuthenticationPolicy, and the application, see of a request's headers: those that claims are
 * written to are gone as the caller sent them, on every port of the workload, and hold what verified tokens say.
 */
import { claimValue } from "../core/claims.ts";
import type { PolicyRequest, VerifiedJwt } from "../core/request.ts";
import type { PlaceVerdict, ValidTokens } from "./evaluate.ts";
import type { AuthenticationPolicySpec, JwtProof } from "./schema.ts";
import { issuersByPlace, placeName } from "./token-place.ts";

type HeaderLines = PolicyRequest["headers"];

/** The headers, in lower case, that a policy alone may set: callers cannot bring them to any port of its workloads. */
export function vouchedHeaders(spec: AuthenticationPolicySpec): readonly string[] {
  return spec.accept.flatMap(({ jwt }) => namesOf(jwt));
}

/** The headers that a policy sets when it lets a request proceed. `presented` is empty where tokens are not read. */
export function claimHeaders(spec: AuthenticationPolicySpec, presented: readonly PlaceVerdict[]): HeaderLines {
  const written = new Map<string, readonly string[]>();
  const asked = issuersByPlace(spec).map(({ place, issuers }) => {
    const verdict = presented.find((one) => one.place === placeName(place))?.verdict;
    return issuers.map(({ jwt }) => ({ jwt, tokens: verdict?.valid === true ? tokensOf(verdict, jwt.issuer) : [] }));
  });
  // Where there are several places all are asked once more, until one has a token: the first has the last word.
  for (const ofPlace of asked.length > 1 ? [...asked, asked.flat()] : asked) {
    for (const { jwt, tokens } of ofPlace) {
      for (const name of namesOf(jwt)) written.delete(name);
      for (const { claim, header } of jwt.claimsToHeaders ?? []) {
        const lines = tokens.map(({ claims }) => headerText(claimValue(claims, claim))).filter((text) => text !== "");
        if (lines.length > 0) written.set(header.toLowerCase(), lines);
      }
      if (tokens.length > 0) break;
    }
  }
  return [...written].flatMap(([name, values]) => values.map((value) => [name, value] as const));
}

function namesOf(jwt: JwtProof | undefined): string[] {
  return (jwt?.claimsToHeaders ?? []).map(({ header }) => header.toLowerCase());
}

function tokensOf({ jwt, more = [] }: ValidTokens, issuer: string): readonly VerifiedJwt[] {
  return jwt.issuer === issuer ? [jwt, ...more] : [];
}

/** Text, whole numbers and booleans as they are; other numbers with six decimals; lists and objects as JSON in base64; nothing for null and for empty text. */
function headerText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toFixed(6);
  if (typeof value === "boolean") return String(value);
  return typeof value === "object" && value !== null ? Buffer.from(JSON.stringify(value)).toString("base64") : "";
}
