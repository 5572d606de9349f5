/** What the routes of requests, HTTPRoute and GRPCRoute, have in common. */
import { itemAt } from "../field-path.ts";
import { violation, type Violation, warning } from "../violation.ts";
import type { AnyRoute } from "./schema.ts";
import { validateParents, validateRuleNames } from "./validate.ts";

/** Over all rules of a route. */
const MOST_MATCHES = 128;

interface RequestRouteSpec {
  readonly hostnames?: readonly string[];
  readonly useDefaultGateways?: string;
}

/** How a kind of route reads its rules. */
export interface RequestRules<Rule> {
  readonly matchesOf: (rule: Rule) => readonly unknown[];
  readonly validateRule: (rule: Rule, at: string) => Violation[];
}

export function validateRequestRoute<Rule extends { readonly name?: string }>(
  route: AnyRoute & { readonly spec: RequestRouteSpec },
  rules: readonly Rule[],
  { matchesOf, validateRule }: RequestRules<Rule>,
): Violation[] {
  const { hostnames = [], useDefaultGateways } = route.spec;
  const found = [
    ...validateParents(route),
    ...rules.flatMap((rule, index) => validateRule(rule, itemAt("spec.rules", index))),
    ...validateRuleNames(rules),
  ];
  if (hostnames.length > 0) {
    const message = "hostnames have no meaning for a Service (GEP-1294): match the header Host instead";
    found.push(warning("spec.hostnames", "NotSupported", message));
  }
  if (useDefaultGateways !== undefined) {
    found.push(warning("spec.useDefaultGateways", "NotSupported", "concerns Gateways, which Seawall does not serve yet"));
  }
  const matches = rules.reduce((sum, rule) => sum + matchesOf(rule).length, 0);
  if (matches > MOST_MATCHES) {
    found.push(violation("spec.rules", "TooMany", `a route has at most ${MOST_MATCHES} matches over all rules, this one has ${matches}`));
  }
  return found;
}
