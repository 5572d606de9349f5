/** Who calls, as Envoy's RBAC principals. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { MetadataSource, type Principal, PrincipalSchema } from "../../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import type { ValueMatcherSchema } from "../../../xds-server/gen/envoy/type/matcher/v3/value_pb.js";
import { rangeParts } from "../cidr.ts";
import { claimPath, SCOPE_CLAIMS } from "../claims.ts";
import { JWT_METADATA } from "../jwt-metadata.ts";
import type { From, JwtMatch } from "../match.ts";
import { allPrincipals, anyPrincipal, beginsWith, exactly, matchesRegex, quoted, type TranslateContext } from "./translate-context.ts";

/** One item of `from`: every field that is given must hold. */
export function fromPrincipal(from: From, context: TranslateContext): Principal {
  const { trustDomain, namespace: own } = context;
  const all: Principal[] = [];
  if (from.serviceAccounts !== undefined) {
    all.push(anyPrincipal(from.serviceAccounts.map((name) => authenticated(exactly(serviceAccountId(name, context))))));
  }
  if (from.namespaces !== undefined) {
    const prefixes = from.namespaces.map((name) => `spiffe://${trustDomain}/ns/${name === "Same" ? (own ?? "") : name}/sa/`);
    all.push(anyPrincipal(prefixes.map((prefix) => authenticated(beginsWith(prefix)))));
  }
  if (from.spiffeIds !== undefined) all.push(anyPrincipal(from.spiffeIds.map((id) => authenticated(exactly(id)))));
  if (from.peerCIDRs !== undefined) all.push(anyPrincipal(from.peerCIDRs.map(peerRange)));
  if (from.jwt !== undefined) all.push(...jwtPrincipals(from.jwt));
  return allPrincipals(all);
}

/** Any caller with an identity of the mesh. */
export function meshPrincipal(trustDomain: string): Principal {
  return authenticated(beginsWith(`spiffe://${trustDomain}/`));
}

function serviceAccountId(name: string, { namespace, trustDomain }: TranslateContext): string {
  const [first = "", second] = name.split("/");
  return `spiffe://${trustDomain}/ns/${second === undefined ? (namespace ?? "") : first}/sa/${second ?? first}`;
}

type StringMatch = ReturnType<typeof exactly>;

function authenticated(principalName: StringMatch): Principal {
  return create(PrincipalSchema, { identifier: { case: "authenticated", value: { principalName } } });
}

function peerRange(range: string): Principal {
  const { address, length } = rangeParts(range);
  return create(PrincipalSchema, {
    identifier: { case: "directRemoteIp", value: { addressPrefix: address, prefixLen: length } },
  });
}

/** The claim `iss` is there exactly when a token of this issuer was verified. */
function jwtPrincipals({ issuer, scopes = [], claims = [] }: JwtMatch): Principal[] {
  return [
    verifiedClaim(issuer, ["iss"], { matchPattern: { case: "stringMatch", value: exactly(issuer) } }),
    ...scopes.map((scope) => anyPrincipal(SCOPE_CLAIMS.map((claim) => verifiedClaim(issuer, [claim], scopeIn(scope))))),
    ...claims.map(({ name, values }) => verifiedClaim(issuer, claimPath(name), oneOf(values))),
  ];
}

type ValueMatch = MessageInitShape<typeof ValueMatcherSchema>;

/** The value is one of `values`, or a list that holds one. */
function oneOf(values: readonly string[]): ValueMatch {
  return valueOrItem(values.map((value) => ({ matchPattern: { case: "stringMatch", value: exactly(value) } })));
}

/** The value is a string of scopes with spaces between, or a list that holds the scope. */
function scopeIn(scope: string): ValueMatch {
  const text: ValueMatch = { matchPattern: { case: "stringMatch", value: matchesRegex(`(?s)(?:.* )?${quoted(scope)}(?: .*)?`) } };
  const item: ValueMatch = { matchPattern: { case: "stringMatch", value: exactly(scope) } };
  return anyValue([text, listWith(item)]);
}

function valueOrItem(matches: readonly ValueMatch[]): ValueMatch {
  return anyValue([...matches, listWith(anyValue(matches))]);
}

function listWith(item: ValueMatch): ValueMatch {
  return { matchPattern: { case: "listMatch", value: { matchPattern: { case: "oneOf", value: item } } } };
}

function anyValue(matches: readonly ValueMatch[]): ValueMatch {
  const [only] = matches;
  return matches.length === 1 && only !== undefined ? only : { matchPattern: { case: "orMatch", value: { valueMatchers: [...matches] } } };
}

function verifiedClaim(issuer: string, path: readonly string[], value: ValueMatch): Principal {
  const metadataMatcher = {
    filter: JWT_METADATA,
    path: [issuer, ...path].map((key) => ({ segment: { case: "key" as const, value: key } })),
    value,
  };
  return create(PrincipalSchema, {
    identifier: { case: "sourcedMetadata", value: { metadataMatcher, metadataSource: MetadataSource.DYNAMIC } },
  });
}
