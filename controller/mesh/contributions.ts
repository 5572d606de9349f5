/** Asks every kind what it adds to one port. What a kind may not know, the others and the port, is known here. */
import { type AuthenticationPolicy, type JwksState, translate as translateAuthentication } from "../../crds/authentication-policy/index.ts";
import { type AccessPolicy, closesPort, translateAccess } from "../../crds/access-policy/index.ts";
import type { InboundHttpContribution, RbacRule } from "../../crds/core/contribution.ts";
import { invalidPolicyRule } from "../../crds/core/match/translate.ts";
import { ruleName } from "../../crds/core/policy-name.ts";
import { translateMutualTls } from "../../crds/mutual-tls-policy/index.ts";
import { type RateLimitPolicy, translate as translateLimits } from "../../crds/rate-limit-policy/index.ts";
import { calledPort, UNDECLARED_PORTS, type Workload } from "../model/workload.ts";
import type { PortPolicies } from "./effective-policies.ts";
import { objectOf, type PolicyEntry } from "./policy-entry.ts";
import type { AccessDecision } from "./rbac.ts";
import type { MeshSettings } from "./settings.ts";

export interface PortContributions {
  readonly access: AccessDecision;
  readonly contributions: readonly InboundHttpContribution[];
}

/** `jwksOf` says what is known of a remote key set; undefined is one that nobody has asked for yet. */
export function contributionsOf(
  workload: Workload,
  policies: PortPolicies,
  mesh: MeshSettings,
  jwksOf: (uri: string) => JwksState | undefined,
): PortContributions {
  const port = calledPort(policies.port);
  const contributions: InboundHttpContribution[] = [];
  const authentication = objectOf<AuthenticationPolicy>(policies.authentication?.policy);
  if (authentication !== undefined && port.protocol === "HTTP") {
    contributions.push(translateAuthentication(authentication, port, (uri) => jwksOf(uri) ?? NOT_FETCHED));
  }
  const limits = policies.limits.flatMap((entry) => objectOf<RateLimitPolicy>(entry) ?? []);
  if (limits.length > 0) contributions.push(translateLimits(limits, port).contribution);

  const access = policies.access.flatMap((entry) => objectOf<AccessPolicy>(entry) ?? []);
  const rules: RbacRule[] = [
    ...policies.invalid.map((entry) => invalidPolicyRule(entry.kind, entry.metadata)),
    ...translateMutualTls(policies.tls, mesh.trustDomain),
    ...access.flatMap((policy) => translateAccess(policy, { trustDomain: mesh.trustDomain, port }).rules),
    ...contributions.flatMap((contribution) => contribution.rbac ?? []),
  ];
  return {
    contributions,
    access: {
      namespace: workload.namespace,
      workload: workload.name,
      rules,
      defaultAccess: policies.defaultAccess,
      closed: access.some(closesPort),
      closedInAudit: access.some((policy) => policy.spec.action === "Allow"),
      ...(policies.port.number === UNDECLARED_PORTS.number ? { undeclared: true as const } : {}),
    },
  };
}

/**
 * What decides about the streams of bytes that come to a port whose protocol nobody declared. Policies about requests
 * cannot judge them: where one of those holds that only restricts, nothing may come past it as bytes.
 */
export function bytesDecision(workload: Workload, policies: PortPolicies, mesh: MeshSettings): AccessDecision {
  const asBytes = { ...policies, port: { ...policies.port, protocol: "tcp" as const } };
  const { access } = contributionsOf(workload, asBytes, mesh, () => undefined);
  const restricting = [policies.authentication?.policy, ...policies.limits].find((entry) => entry !== undefined && !isAudited(entry));
  if (restricting === undefined) return access;
  const { slot, policy } = invalidPolicyRule(restricting.kind, restricting.metadata);
  return { ...access, rules: [...access.rules, { slot, name: ruleName(restricting.kind, restricting.metadata, "not-http"), policy }] };
}

function isAudited(entry: PolicyEntry): boolean {
  const spec = objectOf(entry)?.spec as { readonly enforcement?: string } | undefined;
  return spec?.enforcement === "Audit";
}

const NOT_FETCHED: JwksState = { state: "pending", error: "not fetched yet" };
