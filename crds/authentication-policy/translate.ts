/**
 * An AuthenticationPolicy as Envoy's jwt_authn filter: one provider for each issuer at each place, and requirements that
 * routes choose by name. The names carry the policy's, since all policies of a workload share one filter.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { any } from "../../xds-server/envoy/any.ts";
import { FilterConfigSchema, type RouteMatch, RouteMatchSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import {
  type JwtProvider,
  JwtProviderSchema,
  type JwtRequirement,
  JwtRequirementSchema,
  PerRouteConfigSchema,
} from "../../xds-server/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import type { InboundHttpContribution, PerRoute, RouteVariant } from "../core/contribution.ts";
import { parseDuration } from "../core/duration.ts";
import { claimPath } from "../core/claims.ts";
import { parseJwks } from "../core/jwks.ts";
import { invalidPolicyRule } from "../core/match/translate.ts";
import { toRouteMatch } from "../core/match/translate-to.ts";
import { type ObjectMeta, objectKey } from "../core/object.ts";
import type { CalledPort } from "../core/request.ts";
import type { JwksOf, JwksState } from "./jwks-state.ts";
import { malformedTokenMatch } from "./malformed-token.ts";
import type { AuthenticationPolicy, AuthenticationPolicySpec, JwtProof } from "./schema.ts";
import { type IssuersOfPlace, issuersByPlace, type TokenPlace } from "./token-place.ts";
import { UNKNOWABLE_JWKS } from "./unknowable-key.ts";

const KIND = "AuthenticationPolicy";

/** The name that logs and `explain` give the policy: `authenticationpolicy/<namespace>/<name>`. */
export function policyId(metadata: ObjectMeta): string {
  return `${KIND.toLowerCase()}/${objectKey(metadata)}`;
}

/** What an invalid policy does to its targets: everything is refused under its name. */
export function translateInvalid(metadata: ObjectMeta): InboundHttpContribution {
  return { rbac: [invalidPolicyRule(KIND, metadata)], metadata: { authentication: policyId(metadata) } };
}

/** The policy's part of one HTTP port. Only the policy that acts on the port may be given: two of them do not add up. */
export function translate(policy: AuthenticationPolicy, port: CalledPort, jwksOf: JwksOf): InboundHttpContribution {
  const { spec, metadata } = policy;
  const names = requirementNames(objectKey(metadata));
  const places = issuersByPlace(spec);
  const unavailable = unavailableIssuers(spec, jwksOf);
  return {
    perRoute: requirementFor(names, callersWithoutMutualTls(spec)),
    variants: [
      ...exceptions(spec, port, policyId(metadata)),
      ...malformed(places, names, policyId(metadata)),
      ...callersWithMutualTls(spec, names, policyId(metadata)),
    ],
    metadata: {
      authentication: policyId(metadata),
      ...(unavailable === "" ? {} : { jwksUnavailable: unavailable }),
    },
    jwtProviders: { ...providers(spec, places, names, jwksOf), [names.nobody]: nobody() },
    jwtRequirements: requirements(spec, places, names),
    stripRequestHeaders: [...strippedHeaders(spec), NOBODYS_HEADER],
  };
}

/** Nobody's proof is looked for in a header that is removed before, and no key could have signed it anyway. */
const NOBODYS_HEADER = "x-seawall-nobody";
const NOBODY = "urn:seawall:nobody";

/**
 * What a request must bring. `proof`: a token, and every presented one is valid. `valid`: whatever is presented is valid.
 * `nobody`: nothing satisfies it, the answer is 401.
 */
type Demand = "proof" | "valid" | "nobody" | "nothing";

interface RequirementNames extends Readonly<Record<Exclude<Demand, "nothing">, string>> {
  readonly provider: (index: number, place: number) => string;
}

function requirementNames(key: string): RequirementNames {
  return {
    proof: `${key}/proof`,
    valid: `${key}/valid`,
    nobody: `${key}/nobody`,
    provider: (index, place) => `${key}/${index}/${place}`,
  };
}

const acceptsTokens = (spec: AuthenticationPolicySpec): boolean => spec.accept.some(({ jwt }) => jwt !== undefined);

function callersWithoutMutualTls(spec: AuthenticationPolicySpec): Demand {
  if (spec.anonymous === "Allow") return acceptsTokens(spec) ? "valid" : "nothing";
  return acceptsTokens(spec) ? "proof" : "nobody";
}

function requirementFor(names: RequirementNames, demand: Demand): PerRoute {
  if (demand === "nothing") return {};
  return { jwt: any(PerRouteConfigSchema, { requirementSpecifier: { case: "requirementName", value: names[demand] } }) };
}

const NOT_READ: PerRoute = { jwt: any(FilterConfigSchema, { disabled: true }) };

function exceptions({ except = [] }: AuthenticationPolicySpec, port: CalledPort, id: string): RouteVariant[] {
  return except
    .flatMap(({ to }) => to.flatMap((item) => toRouteMatch(item, port)))
    .map((match, index) => ({ name: `${id}/except/${index}`, match, perRoute: NOT_READ }));
}

function malformed(places: readonly IssuersOfPlace[], names: RequirementNames, id: string): RouteVariant[] {
  return places.flatMap(({ place }, index) => {
    const match = malformedTokenMatch(place);
    return match === undefined ? [] : [{ name: `${id}/malformed/${index}`, match, perRoute: requirementFor(names, "nobody") }];
  });
}

/** A caller with a mesh identity has its proof where mutual TLS is accepted; tokens that it brings must be valid still. */
function callersWithMutualTls(spec: AuthenticationPolicySpec, names: RequirementNames, id: string): RouteVariant[] {
  if (spec.anonymous === "Allow" || !spec.accept.some(({ mutualTLS }) => mutualTLS !== undefined)) return [];
  const match: RouteMatch = create(RouteMatchSchema, {
    pathSpecifier: { case: "prefix", value: "/" },
    tlsContext: { presented: true, validated: true },
  });
  return [{ name: `${id}/mutual-tls`, match, perRoute: acceptsTokens(spec) ? requirementFor(names, "valid") : NOT_READ }];
}

/** Removed from every request, so that only a verified token sets them. */
function strippedHeaders(spec: AuthenticationPolicySpec): string[] {
  const headers = spec.accept.flatMap(({ jwt }) => jwt?.claimsToHeaders ?? []).map(({ header }) => header.toLowerCase());
  return [...new Set(headers)].sort();
}

function providers(
  spec: AuthenticationPolicySpec,
  places: readonly IssuersOfPlace[],
  names: RequirementNames,
  jwksOf: JwksOf,
): Record<string, JwtProvider> {
  const keys = new Map(spec.accept.map(({ jwt }, index) => [index, jwt === undefined ? UNKNOWABLE_JWKS : keysOf(jwt, jwksOf)]));
  const entries = places.flatMap(({ place, issuers }, placeIndex) =>
    issuers.map(({ index, jwt }) => [names.provider(index, placeIndex), provider(jwt, place, keys.get(index) ?? UNKNOWABLE_JWKS)] as const),
  );
  return Object.fromEntries(entries);
}

function provider(jwt: JwtProof, place: TokenPlace, keys: string): JwtProvider {
  const most = jwt.maxLifetime === undefined ? undefined : parseDuration(jwt.maxLifetime);
  return create(JwtProviderSchema, {
    issuer: jwt.issuer,
    audiences: [...(jwt.audiences ?? [])],
    requireExpiration: true,
    ...(most === undefined ? {} : { maxLifetime: { seconds: BigInt(Math.floor(most / 1000)) } }),
    jwksSourceSpecifier: { case: "localJwks", value: { specifier: { case: "inlineString", value: keys } } },
    ...(place.kind === "header" ? { fromHeaders: [{ name: place.name, valuePrefix: place.prefix }] } : { fromParams: [place.name] }),
    // The application may read the token too: it was verified.
    forward: true,
    payloadInMetadata: jwt.issuer,
    claimToHeaders: (jwt.claimsToHeaders ?? []).map(({ claim, header }) => ({
      headerName: header.toLowerCase(),
      claimPath: claimPath(claim).map((key) => ({ key })),
    })),
  });
}

/** The keys to verify with. Where there are none to trust, keys that verify nothing: presented tokens are then refused. */
function keysOf({ jwks }: JwtProof, jwksOf: JwksOf): string {
  if (jwks.uri !== undefined) {
    const state = jwksOf(jwks.uri);
    return state.state === "good" ? state.keys : UNKNOWABLE_JWKS;
  }
  const parsed = parseJwks(jwks.inline ?? "");
  return "keys" in parsed ? parsed.keys : UNKNOWABLE_JWKS;
}

/** `<uri>: <why>` of every issuer whose keys are not there, for the access log. */
function unavailableIssuers(spec: AuthenticationPolicySpec, jwksOf: JwksOf): string {
  const uris = new Set(spec.accept.flatMap(({ jwt }) => jwt?.jwks.uri ?? []));
  const missing = [...uris].flatMap((uri) => {
    const state: JwksState = jwksOf(uri);
    return state.state === "good" ? [] : [`${uri}: ${state.error}`];
  });
  return missing.join("; ");
}

function nobody(): JwtProvider {
  return create(JwtProviderSchema, {
    issuer: NOBODY,
    requireExpiration: true,
    jwksSourceSpecifier: { case: "localJwks", value: { specifier: { case: "inlineString", value: UNKNOWABLE_JWKS } } },
    fromHeaders: [{ name: NOBODYS_HEADER }],
  });
}

/**
 * Every place is asked for itself, since `requires_any` alone would be content with one valid token beside a forged one
 * elsewhere. With several places all providers are asked once more, in the order of the places: asking one that finds no
 * token removes the claim headers that an earlier one has set, and so the first valid token has the last word.
 */
function requirements(
  spec: AuthenticationPolicySpec,
  places: readonly IssuersOfPlace[],
  names: RequirementNames,
): Record<string, JwtRequirement> {
  const result: Record<string, JwtRequirement> = { [names.nobody]: byProvider(names.nobody) };
  if (!acceptsTokens(spec)) return result;
  const byPlace = places.map(({ issuers }, placeIndex) => issuers.map(({ index }) => byProvider(names.provider(index, placeIndex))));
  const all = byPlace.flat();
  const [only, ...others] = byPlace;
  if (only !== undefined && others.length === 0) {
    result[names.proof] = anyOf(only);
    result[names.valid] = anyOf([...only, MISSING]);
    return result;
  }
  const validEverywhere = byPlace.map((ofPlace) => anyOf([...ofPlace, MISSING]));
  result[names.proof] = allOf([...validEverywhere, anyOf(all)]);
  result[names.valid] = allOf([...validEverywhere, anyOf([...all, MISSING])]);
  return result;
}

type RequirementInit = MessageInitShape<typeof JwtRequirementSchema>;

const MISSING: JwtRequirement = requirement({ requiresType: { case: "allowMissing", value: {} } });

function requirement(init: RequirementInit): JwtRequirement {
  return create(JwtRequirementSchema, init);
}

function byProvider(name: string): JwtRequirement {
  return requirement({ requiresType: { case: "providerName", value: name } });
}

function anyOf(list: readonly JwtRequirement[]): JwtRequirement {
  const [only, ...others] = list;
  // Envoy wants at least two alternatives.
  if (only !== undefined && others.length === 0) return only;
  return requirement({ requiresType: { case: "requiresAny", value: { requirements: [...list] } } });
}

function allOf(list: readonly JwtRequirement[]): JwtRequirement {
  return requirement({ requiresType: { case: "requiresAll", value: { requirements: [...list] } } });
}
