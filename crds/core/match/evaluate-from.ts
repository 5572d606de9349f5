/** Who calls: plain semantics of `from`, after 5-policies.md. */
import { inRanges } from "../cidr.ts";
import { claimHas, hasScope } from "../claims.ts";
import type { From, JwtMatch } from "../match.ts";
import type { Identity, PolicyRequest } from "../request.ts";
import { type EvaluateContext, listed, type Unmet } from "./evaluate-context.ts";

/** What one item of `from` misses in the request. */
export function unmetFrom(from: From, request: PolicyRequest, context: EvaluateContext): Unmet {
  const unmet: string[] = [];
  const { identity } = request;
  if (from.serviceAccounts !== undefined && !from.serviceAccounts.some((name) => isServiceAccount(name, identity, context))) {
    unmet.push(`the caller is ${described(identity)}, not the service account ${listed(from.serviceAccounts)}`);
  }
  if (from.namespaces !== undefined && !from.namespaces.some((name) => isInNamespace(name, identity, context))) {
    unmet.push(`the caller is ${described(identity)}, not from the namespace ${listed(from.namespaces)}`);
  }
  if (from.spiffeIds !== undefined && !(identity !== undefined && from.spiffeIds.includes(spiffeId(identity)))) {
    unmet.push(`the caller is ${described(identity)}, not ${listed(from.spiffeIds)}`);
  }
  if (from.peerCIDRs !== undefined && !inRanges(request.peerAddress, from.peerCIDRs)) {
    unmet.push(`the peer address ${request.peerAddress} is not in ${listed(from.peerCIDRs)}`);
  }
  if (from.jwt !== undefined) unmet.push(...unmetJwt(from.jwt, request, context));
  return unmet;
}

function isServiceAccount(name: string, identity: Identity | undefined, context: EvaluateContext): boolean {
  if (identity?.trustDomain !== context.trustDomain) return false;
  const [namespace, serviceAccount] = name.includes("/") ? name.split("/") : [context.namespace, name];
  return identity.namespace === namespace && identity.serviceAccount === serviceAccount;
}

function isInNamespace(name: string, identity: Identity | undefined, context: EvaluateContext): boolean {
  return identity?.trustDomain === context.trustDomain && identity.namespace === (name === "Same" ? context.namespace : name);
}

function unmetJwt(wanted: JwtMatch, request: PolicyRequest, context: EvaluateContext): Unmet {
  if (context.port.protocol === "TCP") return context.unknown ? [] : ["a TCP port carries no token"];
  const token = request.jwts.find((jwt) => jwt.issuer === wanted.issuer);
  if (token === undefined) return [`there is no verified token of ${wanted.issuer}`];
  return [
    ...(wanted.scopes ?? []).filter((scope) => !hasScope(token.claims, scope)).map((scope) => `the token lacks the scope ${scope}`),
    ...(wanted.claims ?? [])
      .filter((claim) => !claimHas(token.claims, claim.name, claim.values))
      .map((claim) => `the token's claim ${claim.name} is not ${listed(claim.values)}`),
  ];
}

export function spiffeId(identity: Identity): string {
  return `spiffe://${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`;
}

function described(identity: Identity | undefined): string {
  return identity === undefined ? "without a mesh identity" : `${identity.namespace}/${identity.serviceAccount}`;
}
