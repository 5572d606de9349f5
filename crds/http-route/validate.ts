/**
 * Mistakes that the schema cannot see. An HTTPRoute with an error is not accepted as a whole: it applies to nothing, and
 * its Service is called as if it were not there. What is legal but not honoured is a warning.
 */
import { fieldAt, itemAt } from "../core/field-path.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import { parseDuration } from "../core/duration.ts";
import { validateRequestRoute } from "../core/route/validate-request-route.ts";
import { validateBackendReference } from "../core/route/validate.ts";
import { matchesOf } from "./rules.ts";
import type { HttpRoute, RouteRuleSpec } from "./schema.ts";
import { validateFilters } from "./validate-filter.ts";
import { validateMatch } from "./validate-match.ts";

export function validateHttpRoute(route: HttpRoute): Violation[] {
  return validateRequestRoute<RouteRuleSpec>(route, route.spec.rules ?? [{}], { matchesOf, validateRule });
}

function validateRule(rule: RouteRuleSpec, at: string): Violation[] {
  const matches = matchesOf(rule);
  const onePrefix = matches.length === 1 && (matches[0]?.path?.type ?? "PathPrefix") === "PathPrefix";
  const found = [
    ...matches.flatMap((match, index) => validateMatch(match, itemAt(fieldAt(at, "matches"), index))),
    ...validateFilters(rule.filters ?? [], fieldAt(at, "filters"), { onePrefix, ofBackend: false }),
    ...(rule.backendRefs ?? []).flatMap((ref, index) => {
      const item = itemAt(fieldAt(at, "backendRefs"), index);
      return [
        ...validateBackendReference(ref, item),
        ...validateFilters(ref.filters ?? [], fieldAt(item, "filters"), { onePrefix, ofBackend: true }),
      ];
    }),
    ...validateTimeouts(rule, fieldAt(at, "timeouts")),
    ...validateForwarding(rule, at),
  ];
  for (const field of ["retry", "sessionPersistence"] as const) {
    if (rule[field] !== undefined) found.push(violation(fieldAt(at, field), "NotSupported", `Seawall does not support ${field} yet`));
  }
  return found;
}

/** A rule either redirects or forwards. */
function validateForwarding(rule: RouteRuleSpec, at: string): Violation[] {
  const redirects = (rule.filters ?? []).some((filter) => filter.type === "RequestRedirect");
  const place = fieldAt(at, "backendRefs");
  const backends = rule.backendRefs ?? [];
  if (redirects && backends.length > 0)
    return [violation(place, "Conflict", "a rule that redirects forwards nothing: remove its backends")];
  if (redirects && rule.timeouts !== undefined) {
    return [warning(fieldAt(at, "timeouts"), "Conflict", "a redirect is answered at once: timeouts have no effect beside it")];
  }
  if (redirects || backends.some((ref) => (ref.weight ?? 1) > 0)) return [];
  return [warning(place, "Required", "without a backend of a weight above 0, requests that match are answered with 500")];
}

function validateTimeouts(rule: RouteRuleSpec, at: string): Violation[] {
  const { request, backendRequest } = rule.timeouts ?? {};
  const found = Object.entries({ request, backendRequest }).flatMap(([field, text]) =>
    text === undefined || parseDuration(text) !== undefined
      ? []
      : [violation(fieldAt(at, field), "Malformed", `${JSON.stringify(text)} is no duration such as 500ms, 10s or 1m30s (GEP-2257)`)],
  );
  const whole = parseDuration(request ?? "0s");
  const single = parseDuration(backendRequest ?? "0s");
  if (whole !== undefined && single !== undefined && whole !== 0 && single > whole) {
    found.push(violation(fieldAt(at, "backendRequest"), "Conflict", `must not be longer than the request timeout of ${request ?? ""}`));
  }
  return found;
}
