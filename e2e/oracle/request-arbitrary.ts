/**
 * Requests that come close to policies: each is made to fit a rule and then bent. A recipe holds numbers and names only
 * and is realized against whatever policies there are, so that policies and requests shrink apart from each other.
 */
import fc from "fast-check";
import type { From, HeaderMatch, To } from "../../crds/core/match.ts";
import type { Identity } from "../../crds/core/request.ts";
import { type CIDRS, FILLINGS, HEADER_VALUES, IDENTITIES, METHODS, NAMESPACE, PEERS } from "./cast.ts";
import { MUTATIONS, type Mutation, mutate } from "./mutation.ts";
import type { OracleRequest } from "./oracle-request.ts";
import { Picker } from "./picker.ts";
import type { OraclePolicy } from "./policy-arbitrary.ts";
import type { TokenPresentation } from "./token-presentation.ts";

export interface RequestRecipe {
  readonly version: 1 | 2;
  /** Which policy, rule and items the request is made for, and with which values. */
  readonly choices: readonly number[];
  /** Made for one of the rule's exceptions, where it has any. */
  readonly excepted: boolean;
  readonly mutations: readonly Mutation[];
}

export const requestRecipe: fc.Arbitrary<RequestRecipe> = fc.record({
  version: fc.constantFrom(1 as const, 2 as const),
  choices: fc.array(fc.nat(255), { minLength: 4, maxLength: 24, size: "max" }),
  excepted: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  mutations: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 3, arbitrary: fc.array(fc.constantFrom(...MUTATIONS), { minLength: 1, maxLength: 3 }) },
  ),
});

/** The request that the recipe makes among these policies. */
export function realize(recipe: RequestRecipe, policies: readonly OraclePolicy[]): OracleRequest {
  const pick = new Picker(recipe.choices);
  const rule = pick.optionally(pick.optionally(policies)?.rules);
  const except = recipe.excepted ? pick.optionally(rule?.except) : undefined;
  const request = {
    version: recipe.version,
    ...callerOf(pick.optionally(except?.from ?? rule?.from) ?? {}, pick),
    ...calledOf(pick.optionally(except?.to ?? rule?.to) ?? {}, pick),
    headers: (rule?.when?.headers ?? []).map((header): [string, string] => [header.name, valueFor(header, pick)]),
  };
  const bent = recipe.mutations.reduce((bending: OracleRequest, mutation) => mutate(bending, mutation, pick), request);
  return recipe.version === 1 ? bent : { ...bent, headers: bent.headers.map(([name, value]) => [name.toLowerCase(), value]) };
}

type Caller = Pick<OracleRequest, "identity" | "peerAddress" | "tokens">;

function callerOf(from: From, pick: Picker): Caller {
  const fitting = IDENTITIES.filter((identity) => fits(identity, from));
  const asks = from.serviceAccounts ?? from.namespaces ?? from.spiffeIds;
  return {
    identity: pick.optionally<Identity | undefined>(
      asks === undefined ? [undefined, ...IDENTITIES] : fitting.length > 0 ? fitting : IDENTITIES,
    ),
    peerAddress: from.peerCIDRs === undefined ? PEERS[0] : peerFor(from.peerCIDRs, pick),
    tokens: from.jwt === undefined ? [] : [tokenFor(from.jwt, pick)],
  };
}

function fits({ trustDomain, namespace, serviceAccount }: Identity, from: From): boolean {
  const names = [`${namespace}/${serviceAccount}`, ...(namespace === NAMESPACE ? [serviceAccount] : [])];
  const spaces = [namespace, ...(namespace === NAMESPACE ? ["Same"] : [])];
  return (
    (from.serviceAccounts?.some((name) => names.includes(name)) ?? true) &&
    (from.namespaces?.some((name) => spaces.includes(name)) ?? true) &&
    (from.spiffeIds?.includes(`spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`) ?? true)
  );
}

/** One address of the cast that each range of the cast holds. */
const INSIDE: Readonly<Record<(typeof CIDRS)[number], string>> = {
  "127.0.0.1/32": "127.0.0.1",
  "127.0.0.0/8": "127.9.0.1",
  "127.0.0.2/31": "127.0.0.2",
  "127.8.0.0/15": "127.9.0.1",
  "10.0.0.0/8": "127.0.0.1",
  "::1/128": "127.0.0.1",
};

function peerFor(ranges: readonly string[], pick: Picker): string {
  return INSIDE[pick.from(ranges) as (typeof CIDRS)[number]];
}

function tokenFor(jwt: NonNullable<From["jwt"]>, pick: Picker): TokenPresentation {
  const claims: Record<string, unknown> = { sub: "alice" };
  if (jwt.scopes !== undefined) {
    const place = pick.from(["scope", "scp"]);
    claims[place] = pick.below(2) === 0 ? [...jwt.scopes, "more"].join(" ") : [...jwt.scopes];
  }
  for (const { name, values } of jwt.claims ?? []) {
    const value = pick.from(values);
    put(claims, name, pick.below(2) === 0 ? value : ["other", value]);
  }
  return { issuer: jwt.issuer, claims, fault: "none" };
}

function put(claims: Record<string, unknown>, name: string, value: unknown): void {
  const keys = name.startsWith("/")
    ? name
        .slice(1)
        .split("/")
        .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"))
    : [name];
  let at = claims;
  for (const key of keys.slice(0, -1)) at = (at[key] ??= {}) as Record<string, unknown>;
  at[keys.at(-1) ?? ""] = value;
}

type Called = Pick<OracleRequest, "method" | "path" | "authority">;

function calledOf(to: To, pick: Picker): Called {
  return {
    method: pick.optionally(to.methods) ?? pick.from(METHODS),
    path: pathFor(pick.optionally(to.paths) ?? "/orders/{id}/**", pick),
    authority: (pick.optionally(to.hosts) ?? "orders.shop").replace("*", () => pick.from(["www", "a.b"])),
  };
}

/** A path of the template: variables filled, an open end continued or not. */
function pathFor(template: string, pick: Picker): string {
  const open = template.endsWith("/**");
  const closed = (open ? template.slice(0, -3) : template).replaceAll(/\{\w+\}/g, () => pick.from(FILLINGS));
  const end = open ? pick.from(["", "/", "/more", "/a/b/c", "/%7e", "/a//b"]) : "";
  return closed + end || "/";
}

function valueFor(header: HeaderMatch, pick: Picker): string {
  return pick.from(header.values.length > 0 ? header.values : HEADER_VALUES);
}
