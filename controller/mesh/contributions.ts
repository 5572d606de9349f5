/** Asks every kind what it adds to one port. What a kind may not know, the others and the port, is known here. */
import { type AuthenticationPolicy, type JwksState, translate as translateAuthentication } from "../../crds/authentication-policy/index.ts";
import { type AccessPolicy, closesPort, translateAccess } from "../../crds/access-policy/index.ts";
import type { InboundHttpContribution, RbacRule } from "../../crds/core/contribution.ts";
import { invalidPolicyRule } from "../../crds/core/match/translate.ts";
import { translateMutualTls } from "../../crds/mutual-tls-policy/index.ts";
import { type RateLimitPolicy, translate as translateLimits } from "../../crds/rate-limit-policy/index.ts";
import { calledPort, type Workload } from "../model/workload.ts";
import type { PortPolicies } from "./effective-policies.ts";
import { objectOf } from "./policy-entry.ts";
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
    },
  };
}

const NOT_FETCHED: JwksState = { state: "pending", error: "not fetched yet" };
