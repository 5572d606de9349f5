/** The decision on one request, in plain semantics after 5-policies.md ("Decision", "Audit"): the oracle that Envoy is held to. */
import { BAD_PATH, canonicalPath, hidesDotSegment } from "../core/canonical-path.ts";
import type { Except } from "../core/match.ts";
import { coversPort } from "../core/match/covers-port.ts";
import { type EvaluateContext, nearestAlternative, type Unmet } from "../core/match/evaluate-context.ts";
import { exceptHolds } from "../core/match/evaluate-except.ts";
import { unmetFrom } from "../core/match/evaluate-from.ts";
import { unmetTo, usesHttp } from "../core/match/evaluate-to.ts";
import { unmetWhen } from "../core/match/evaluate-when.ts";
import type { Rule } from "../core/match/rule.ts";
import { ruleName, smallestName } from "../core/policy-name.ts";
import type { CalledPort, PolicyRequest } from "../core/request.ts";
import type { AnyAccessPolicy } from "./schema.ts";

/** What happens to a request that no rule speaks of. */
export type DefaultAccess = "Deny" | "Audit" | "Allow";

export interface AccessSituation {
  /** The valid policies of both kinds that cover the port, enforced and audited. */
  readonly policies: readonly AnyAccessPolicy[];
  /** Names of the rules of policies (of any security kind) that cover the port and do not hold: they refuse everything. */
  readonly invalid: readonly string[];
  readonly default: DefaultAccess;
  readonly trustDomain: string;
  readonly namespace: string;
  /** The name of the called workload. */
  readonly workload: string;
  readonly port: CalledPort;
  /** The name of the rule by which mutual TLS is strict on the port; absent where it is not. */
  readonly strictMutualTls?: string;
}

export interface Decision {
  readonly verdict: "allowed" | "denied";
  /** HTTP status of a refusal: 400 when the request is malformed, so that no policy is asked; 403 otherwise. 200 when allowed. */
  readonly status: 200 | 400 | 403;
  /** The bytewise smallest of the rules that decided; `default-<access>/<namespace>/<workload>` when the default did. */
  readonly rule: string;
  /** What would happen if every audited policy and default were enforced, where that differs. */
  readonly audit?: { readonly verdict: "allowed" | "denied"; readonly rule: string };
  /** For each Allow rule in force that did not match: what did not hold. */
  readonly nearMisses: readonly { readonly rule: string; readonly unmet: Unmet }[];
}

/** The name of the refusal of a request that no policy is asked about. */
export const MALFORMED = "malformed-request";

export function evaluateAccess(request: PolicyRequest, situation: AccessSituation): Decision {
  if (situation.port.protocol === "HTTP" && isMalformed(request)) {
    return { verdict: "denied", status: 400, rule: MALFORMED, nearMisses: [] };
  }
  const judged = situation.policies.flatMap((policy) =>
    (policy.spec.rules ?? []).map((rule) => ({
      name: ruleName(policy.kind, policy.metadata, rule.name),
      action: policy.spec.action,
      enforced: policy.spec.enforcement !== "Audit",
      unmet: unmetRule(rule, policy, request, situation),
    })),
  );
  const matching = (action: "Allow" | "Deny", enforced: boolean): string[] =>
    judged.filter((rule) => rule.action === action && rule.enforced === enforced && rule.unmet.length === 0).map(({ name }) => name);
  const closedBy = (enforcedOnly: boolean): boolean =>
    situation.policies.some(({ spec }) => spec.action === "Allow" && (!enforcedOnly || spec.enforcement !== "Audit"));
  const byDefault = (access: DefaultAccess): string => `default-${access.toLowerCase()}/${situation.namespace}/${situation.workload}`;
  const nearMisses = judged
    .filter((rule) => rule.action === "Allow" && rule.enforced && rule.unmet.length > 0)
    .map(({ name, unmet }) => ({ rule: name, unmet }));

  const hasIdentity = request.identity?.trustDomain === situation.trustDomain;
  const denied = smallestName([
    ...situation.invalid,
    ...matching("Deny", true),
    ...(situation.strictMutualTls === undefined || hasIdentity ? [] : [situation.strictMutualTls]),
  ]);
  if (denied !== undefined) return { verdict: "denied", status: 403, rule: denied, nearMisses };

  const open = situation.default === "Audit" || (situation.default === "Allow" && !closedBy(true));
  const allowed = smallestName([...matching("Allow", true), ...(open ? [byDefault(situation.default)] : [])]);

  const auditDenied = smallestName(matching("Deny", false));
  const auditOpen = situation.default === "Allow" && !closedBy(false);
  const auditAllowed = smallestName([...matching("Allow", true), ...matching("Allow", false), ...(auditOpen ? [byDefault("Allow")] : [])]);
  const audit: Decision["audit"] =
    auditDenied === undefined && auditAllowed !== undefined
      ? { verdict: "allowed", rule: auditAllowed }
      : { verdict: "denied", rule: auditDenied ?? byDefault("Deny") };

  const verdict = allowed === undefined ? "denied" : "allowed";
  return {
    verdict,
    status: allowed === undefined ? 403 : 200,
    rule: allowed ?? byDefault("Deny"),
    ...(audit.verdict === verdict ? {} : { audit }),
    nearMisses,
  };
}

/** What Envoy refuses, and what Seawall does, before any policy is asked. */
function isMalformed(request: PolicyRequest): boolean {
  const path = canonicalPath(request.path);
  return path === BAD_PATH || hidesDotSegment(path) || /[a-z]/.test(request.method);
}

/** What a rule misses in the request; empty when it matches. */
function unmetRule(rule: Rule, policy: AnyAccessPolicy, request: PolicyRequest, situation: AccessSituation): Unmet {
  const { action } = policy.spec;
  const { port, trustDomain } = situation;
  const context: EvaluateContext = { namespace: policy.metadata.namespace, trustDomain, port, unknown: action === "Deny" };
  if (port.protocol === "TCP" && action === "Allow" && asksForHttp(rule, port)) {
    return [`port ${port.number} is TCP, and the rule asks for what only HTTP has`];
  }
  const unmet = [
    ...nearestAlternative(rule.from, (from) => unmetFrom(from, request, context)),
    ...nearestAlternative(rule.to, (to) => unmetTo(to, request, context)),
    ...unmetWhen(rule.when, request, context, action),
  ];
  if (unmet.length > 0) return unmet;
  const excepted = (rule.except ?? []).findIndex((except) => exceptHolds(except, request, context));
  return excepted === -1 ? [] : [`exception ${excepted} of the rule holds`];
}

function asksForHttp(rule: Rule, port: CalledPort): boolean {
  const asks = ({ from, to }: Except): boolean =>
    (from ?? []).some((item) => item.jwt !== undefined) || (to ?? []).some((item) => coversPort(item, port) && usesHttp(item));
  const here = (item: Except): boolean => item.to === undefined || item.to.some((to) => coversPort(to, port));
  return (
    here(rule) && (asks(rule) || rule.when?.headers !== undefined || (rule.except ?? []).some((except) => here(except) && asks(except)))
  );
}
