/** Requests for a world: those of request-arbitrary.ts, with the proofs that the world asks for and a called port. */
import fc from "fast-check";
import type { OracleRequest } from "./oracle-request.ts";
import { realize, type RequestRecipe, requestRecipe } from "./request-arbitrary.ts";
import { TOKEN_CARRIERS, type TokenCarrier, type TokenPresentation } from "./token-presentation.ts";
import type { OracleIssuer, OracleWorld } from "./world.ts";

export interface CallRecipe {
  readonly request: RequestRecipe;
  readonly port: 8080 | 9090;
  /** Which proof is brought, and where. */
  readonly proof: number;
}

/** A request and the container port that it is sent to. */
export interface OracleCall {
  readonly port: 8080 | 9090;
  readonly request: OracleRequest;
}

export const callRecipe: fc.Arbitrary<CallRecipe> = fc.record({
  request: requestRecipe,
  port: fc.oneof({ weight: 9, arbitrary: fc.constant(8080 as const) }, { weight: 1, arbitrary: fc.constant(9090 as const) }),
  proof: fc.nat(255),
});

export function callIn(world: OracleWorld, recipe: CallRecipe): OracleCall {
  const request = realize(recipe.request, world.access);
  const accepted = world.authentication.flatMap(({ issuers }) => issuers);
  const issuer = accepted[recipe.proof % Math.max(1, accepted.length)];
  const wanted = issuer !== undefined && recipe.proof % 5 !== 4 && !recipe.request.mutations.includes("no-token");
  const brought: readonly TokenPresentation[] =
    request.tokens.length === 0 && wanted
      ? [{ issuer: issuer.issuer, claims: { sub: "alice", role: "customer" }, fault: "none" }]
      : request.tokens;
  const tokens = brought.map((token, index) => ({
    ...(recipe.proof % 8 === 7 ? withOneScopeLess(token) : token),
    carrier: carrierOf(token, accepted, recipe.proof, index),
  }));
  return { port: recipe.port, request: { ...request, tokens } };
}

const CARRIERS = Object.keys(TOKEN_CARRIERS) as readonly TokenCarrier[];
const CARRIERS_OF: Readonly<Record<OracleIssuer["from"], readonly TokenCarrier[]>> = {
  bearer: ["bearer"],
  header: ["header"],
  scheme: ["scheme"],
  query: ["bearer", "query"],
  several: ["header", "bearer"],
};

/** Mostly where the issuer's tokens are looked for, one after the other where that is in several places; sometimes anywhere. */
function carrierOf({ issuer }: TokenPresentation, accepted: readonly OracleIssuer[], proof: number, index: number): TokenCarrier {
  const places = CARRIERS_OF[accepted.find((one) => one.issuer === issuer)?.from ?? "bearer"];
  const usual = places[((proof >> 3) + index) % places.length] ?? "bearer";
  return proof % 7 === 6 ? (CARRIERS[(proof >> 3) % CARRIERS.length] ?? usual) : usual;
}

/** The rule that the token was made for may ask for all of its scopes. */
function withOneScopeLess(token: TokenPresentation): TokenPresentation {
  const claims = Object.entries(token.claims).map(([name, value]) => {
    if (name !== "scope" && name !== "scp") return [name, value] as const;
    return [
      name,
      typeof value === "string" ? value.split(" ").slice(1).join(" ") : Array.isArray(value) ? value.slice(0, -1) : value,
    ] as const;
  });
  return { ...token, claims: Object.fromEntries(claims) };
}
