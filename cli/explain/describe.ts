import type { Explanation } from "../../controller/explain/explain.ts";
import type { ExplainRequest } from "../../controller/explain/explain-request.ts";

/** An explanation for people. */
export function describeExplanation(request: ExplainRequest, explanation: Explanation): string {
  const { verdict, status, policy, reason, workloads, limits, audit, nearMisses } = explanation;
  const lines = [
    verdict === "allowed" ? `ALLOWED by ${policy ?? ""}` : `REFUSED with ${status ?? 403} by ${policy ?? ""}`,
    `  request  ${describeRequest(request)}`,
    `  reason   ${reason}`,
  ];
  const atWorkloads = workloads.map(({ workload, port, decision }) => {
    const what = decision.verdict === "allowed" ? "allowed" : `refused with ${decision.status}`;
    return `  at       ${workload}, port ${port}: ${what} by ${decision.policy}`;
  });
  // Workloads of one name differ in their labels, which here made no difference.
  lines.push(...new Set(atWorkloads));
  if (audit !== undefined) lines.push(`  audit    with the audited policies enforced it would be ${audit.verdict} by ${audit.rule}`);
  if (limits.length > 0) lines.push(`  limits   ${limits.join(", ")}${verdict === "allowed" ? ": beyond one of them it is refused" : ""}`);
  if (verdict === "denied") lines.push(...whatWouldHaveToBeDifferent(policy ?? "", nearMisses));
  return `${lines.join("\n")}\n`;
}

function describeRequest({ from, to, method, path, claims }: ExplainRequest): string {
  const caller = from?.serviceAccount ?? "a caller without identity";
  const token =
    claims === undefined ? "" : `, with a token of ${typeof claims["iss"] === "string" ? claims["iss"] : "an issuer that is not named"}`;
  return `${method ?? "GET"} ${path ?? "/"} of ${to.service}.${to.namespace}${to.port === undefined ? "" : `:${to.port}`}, from ${caller}${token}`;
}

function whatWouldHaveToBeDifferent(policy: string, nearMisses: Explanation["nearMisses"]): string[] {
  // The rule that asks for the least comes first.
  const rules = nearMisses.toSorted((a, b) => a.unmet.length - b.unmet.length);
  const lines = rules.flatMap(({ rule, unmet }) => [`  - ${rule} would allow it, but`, ...unmet.map((what) => `      ${what}`)]);
  if (isDeny(policy)) {
    const first = `What would have to be different: ${policy} must not match, since a refusal is stronger than every permission`;
    return lines.length === 0 ? [first] : [`${first}; and one of`, ...lines];
  }
  return lines.length === 0 ? [] : ["What would have to be different, for one of the rules:", ...lines];
}

/** Refusals by a rule, rather than for want of one. */
function isDeny(policy: string): boolean {
  return !/^(?:default-|not-visible\/|malformed-request|authenticationpolicy\/)/.test(policy);
}
