/** The whole decision on a request at one port, from the plain semantics of every kind; nothing here knows Envoy. */
import { type Decision, evaluateAccess } from "../../crds/access-policy/index.ts";
import {
  type AuthenticationPolicy,
  claimHeaders,
  evaluate as evaluateAuthentication,
  issuersByPlace,
  type JwksOf,
  placeName,
  policyId,
  presentedTokens,
  vouchedHeaders,
} from "../../crds/authentication-policy/index.ts";
import type { AccessPolicy } from "../../crds/access-policy/index.ts";
import { INVALID_RULE, ruleName } from "../../crds/core/policy-name.ts";
import type { PolicyRequest, VerifiedJwt } from "../../crds/core/request.ts";
import type { MeshSettings } from "../../crds/mesh-config/index.ts";
import type { PortPolicies } from "../mesh/effective-policies.ts";
import { objectOf } from "../mesh/policy-entry.ts";
import { calledPort, type Workload } from "../model/workload.ts";

export interface PortDecision {
  readonly verdict: "allowed" | "denied";
  /** HTTP status of a refusal, 200 otherwise. */
  readonly status: number;
  /** What decided, as the access log names it. */
  readonly policy: string;
  readonly reason: string;
  readonly audit?: Decision["audit"];
  readonly nearMisses: Decision["nearMisses"];
  /** The verified tokens that access rules were judged by. */
  readonly jwts: readonly VerifiedJwt[];
}

export interface DecisionContext {
  readonly workload: Pick<Workload, "namespace" | "name">;
  readonly policies: PortPolicies;
  /** All ports of the workload, the called one among them. */
  readonly ports: readonly PortPolicies[];
  readonly settings: MeshSettings;
  readonly jwksOf: JwksOf;
  /** Seconds since 1970. */
  readonly now: number;
}

/**
 * Decides in the order of the filter chain: a malformed request, then proofs, then access. `request.jwts` are taken as
 * verified already where the request carries no token of its own.
 */
export async function decide(received: PolicyRequest, context: DecisionContext): Promise<PortDecision> {
  const { policies, settings, workload } = context;
  const port = calledPort(policies.port);
  const authentication = authenticationAt(policies);
  const vouched = new Set(context.ports.flatMap((other) => vouchedHeaders(authenticationAt(other)?.spec ?? NOTHING)));
  const request: PolicyRequest = { ...received, headers: received.headers.filter(([name]) => !vouched.has(name)) };
  const judged = (jwts: readonly VerifiedJwt[], headers = request.headers): Decision =>
    evaluateAccess(
      { ...request, headers, jwts },
      {
        policies: policies.access.flatMap((entry) => objectOf<AccessPolicy>(entry) ?? []),
        invalid: policies.invalid.map((entry) => ruleName(entry.kind, entry.metadata, INVALID_RULE)),
        default: policies.defaultAccess,
        trustDomain: settings.trustDomain,
        namespace: workload.namespace,
        workload: workload.name,
        port,
        ...(policies.tls.mode === "Strict" ? { strictMutualTls: policies.tls.rule } : {}),
      },
    );

  if (authentication === undefined) return fromAccess(judged(request.jwts), request.jwts);
  const malformed = judged([]);
  if (malformed.status === 400) return fromAccess(malformed, []);
  const presented = await presentedTokens(authentication.spec, request, context.jwksOf, context.now);
  const given = request.jwts.map((jwt) => ({ place: usualPlace(authentication.spec, jwt), verdict: { valid: true, jwt } as const }));
  const proofs = [...presented, ...given];
  const result = evaluateAuthentication(authentication.spec, request, port, proofs);
  if (result.outcome === "refused") {
    return {
      verdict: "denied",
      status: result.status,
      policy: policyId(authentication.metadata),
      reason: result.reason,
      nearMisses: [],
      jwts: [],
    };
  }
  // Where the policy reads no tokens there are none that a claim could come from.
  const claimed = claimHeaders(authentication.spec, result.jwts.length === 0 ? [] : proofs);
  return fromAccess(judged(result.jwts, [...request.headers, ...claimed]), result.jwts);
}

const NOTHING: AuthenticationPolicy["spec"] = { accept: [] };

function authenticationAt({ port, authentication }: PortPolicies): AuthenticationPolicy | undefined {
  return calledPort(port).protocol === "HTTP" ? objectOf<AuthenticationPolicy>(authentication?.policy) : undefined;
}

/** Where a token of an issuer is looked for first. */
function usualPlace(spec: AuthenticationPolicy["spec"], { issuer }: VerifiedJwt): string {
  const found = issuersByPlace(spec).find(({ issuers }) => issuers.some(({ jwt }) => jwt.issuer === issuer));
  return found === undefined ? "the request" : placeName(found.place);
}

function fromAccess(decision: Decision, jwts: readonly VerifiedJwt[]): PortDecision {
  const { verdict, status, rule, audit, nearMisses } = decision;
  const reason = verdict === "allowed" ? `permitted by ${rule}` : `refused by ${rule}`;
  return { verdict, status, policy: rule, reason, ...(audit === undefined ? {} : { audit }), nearMisses, jwts };
}
