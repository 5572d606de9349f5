/**
 * Verifies one token as the sidecar's jwt_authn filter does (RFC 7519, RFC 7515), so that a prediction and the mesh do not
 * differ. Two leniencies are the filter's and are told here: audiences are compared without a scheme and a last slash,
 * and critical header parameters (`crit`) are ignored.
 */
import { compactVerify, importJWK, type JWK } from "jose";
import type { JwtProof } from "./schema.ts";
import { parseDuration } from "../core/duration.ts";

/** How far the clocks of issuer and sidecar may be apart, in seconds: Envoy's default. */
export const CLOCK_SKEW_SECONDS = 60;

export type TokenVerdict =
  | { readonly valid: true; readonly issuer: string; readonly claims: Readonly<Record<string, unknown>> }
  /** `otherIssuer`: the token names another issuer, which may accept it. */
  | { readonly valid: false; readonly why: string; readonly otherIssuer: boolean };

/**
 * @param keys a JSON Web Key Set as text
 * @param now seconds since 1970
 */
export async function verifyToken(token: string, jwt: JwtProof, keys: string, now: number): Promise<TokenVerdict> {
  const parsed = parse(token);
  if (typeof parsed === "string") return invalid(parsed);
  const { header, claims } = parsed;
  if (claims.iss !== jwt.issuer) return { valid: false, why: `its issuer is ${JSON.stringify(claims.iss)}`, otherIssuer: true };
  const untimely = timeProblem(claims, jwt, now);
  if (untimely !== undefined) return invalid(untimely);
  if (jwt.audiences !== undefined && !isForOneOf(claims.aud, jwt.audiences)) return invalid("it is not meant for this audience");
  const signed = await isSignedByOneOf(token, header, (JSON.parse(keys) as { keys: JWK[] }).keys);
  return signed ? { valid: true, issuer: jwt.issuer, claims: claims.all } : invalid("no key of the issuer verifies its signature");
}

function invalid(why: string): TokenVerdict {
  return { valid: false, why, otherIssuer: false };
}

interface Header {
  readonly alg: string;
  readonly kid: string;
  readonly crit: unknown;
}

interface Claims {
  readonly all: Readonly<Record<string, unknown>>;
  readonly iss: string;
  readonly aud: readonly string[];
  readonly exp: number;
  readonly nbf: number;
}

/** The parts of a token, or why it is none. Registered claims of a wrong type make it none. */
function parse(token: string): { header: Header; claims: Claims } | string {
  const parts = token.split(".");
  const [head, payload, signature] = parts;
  if (parts.length !== 3 || head === undefined || payload === undefined || signature === undefined || signature === "") {
    return "it is not three parts with two dots";
  }
  if (!parts.every((part) => /^[A-Za-z0-9_-]*$/.test(part) && part.length % 4 !== 1)) return "it is not base64url";
  const header = jsonObject(head);
  if (header === undefined || typeof header["alg"] !== "string") return "its header is not a JSON object with an alg";
  const { kid = "", crit } = header;
  if (typeof kid !== "string") return "its kid is not a string";
  const all = jsonObject(payload);
  if (all === undefined) return "its payload is not a JSON object";
  for (const name of ["iss", "sub", "jti"]) {
    if (name in all && typeof all[name] !== "string") return `its ${name} is not a string`;
  }
  for (const name of ["exp", "nbf", "iat"]) {
    const value = all[name];
    if (name in all && !(typeof value === "number" && value >= 0 && value < 2 ** 64)) return `its ${name} is not a time`;
  }
  const aud = all["aud"] === undefined ? [] : typeof all["aud"] === "string" ? [all["aud"]] : all["aud"];
  if (!Array.isArray(aud) || !aud.every((one) => typeof one === "string")) return "its aud is not a string or a list of strings";
  const seconds = (name: string): number => Math.floor((all[name] as number | undefined) ?? 0);
  const claims = { all, iss: (all["iss"] as string | undefined) ?? "", aud, exp: seconds("exp"), nbf: seconds("nbf") };
  return { header: { alg: header["alg"], kid, crit }, claims };
}

function jsonObject(encoded: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function timeProblem({ exp, nbf }: Claims, jwt: JwtProof, now: number): string | undefined {
  if (exp === 0) return "it never expires";
  const most = jwt.maxLifetime === undefined ? undefined : parseDuration(jwt.maxLifetime);
  if (most !== undefined && exp - now > Math.floor(most / 1000)) return `it is valid for longer than ${jwt.maxLifetime ?? ""}`;
  if (nbf > now + CLOCK_SKEW_SECONDS) return "it is not valid yet";
  if (now > exp + CLOCK_SKEW_SECONDS) return "it has expired";
  return undefined;
}

function isForOneOf(aud: readonly string[], audiences: readonly string[]): boolean {
  const accepted = new Set(audiences.map(bareAudience));
  return aud.some((one) => accepted.has(bareAudience(one)));
}

function bareAudience(audience: string): string {
  return audience.replace(/^https?:\/\//, "").replace(/\/$/, "");
}

/** What both jwt_authn and parseJwks know. Symmetric algorithms are not among them: a public key is no secret. */
const ALGORITHMS: ReadonlySet<string> = new Set([
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA"],
]);

async function isSignedByOneOf(token: string, { alg, kid, crit }: Header, keys: readonly JWK[]): Promise<boolean> {
  if (!ALGORITHMS.has(alg)) return false;
  const ignored = Array.isArray(crit) ? Object.fromEntries(crit.map((name) => [String(name), false])) : {};
  for (const key of keys) {
    if (kid !== "" && key.kid !== undefined && key.kid !== "" && key.kid !== kid) continue;
    if (key.alg !== undefined && key.alg !== alg) continue;
    try {
      await compactVerify(token, await importJWK(key, alg), { algorithms: [alg], crit: ignored });
      return true;
    } catch {
      continue;
    }
  }
  return false;
}
