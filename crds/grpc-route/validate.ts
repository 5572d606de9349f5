/**
 * Mistakes that the schema cannot see. A GRPCRoute with an error is not accepted as a whole: it applies to nothing, and its
 * Service is called as if it were not there. What is legal but not honoured is a warning.
 */
import { fieldAt, itemAt } from "../core/field-path.ts";
import { validateRequestRoute } from "../core/route/validate-request-route.ts";
import { validateBackendReference } from "../core/route/validate.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import { validateFilters } from "../http-route/validate-filter.ts";
import { validateRegex, validateValues } from "../http-route/validate-match.ts";
import { matchesOf, pathOf } from "./rules.ts";
import type { GrpcMatchSpec, GrpcMethodMatch, GrpcRoute, GrpcRuleSpec } from "./schema.ts";

export function validateGrpcRoute(route: GrpcRoute): Violation[] {
  return validateRequestRoute<GrpcRuleSpec>(route, route.spec.rules ?? [{}], { matchesOf, validateRule });
}

function validateRule(rule: GrpcRuleSpec, at: string): Violation[] {
  const backends = rule.backendRefs ?? [];
  const found = [
    ...matchesOf(rule).flatMap((match, index) => validateMatch(match, itemAt(fieldAt(at, "matches"), index))),
    ...validateFilters(rule.filters ?? [], fieldAt(at, "filters"), { onePrefix: false, ofBackend: false }),
    ...backends.flatMap((ref, index) => {
      const item = itemAt(fieldAt(at, "backendRefs"), index);
      return [
        ...validateBackendReference(ref, item),
        ...validateFilters(ref.filters ?? [], fieldAt(item, "filters"), { onePrefix: false, ofBackend: true }),
      ];
    }),
  ];
  if (rule.sessionPersistence !== undefined) {
    found.push(violation(fieldAt(at, "sessionPersistence"), "NotSupported", "Seawall does not support sessionPersistence yet"));
  }
  if (!backends.some((ref) => (ref.weight ?? 1) > 0)) {
    found.push(
      warning(fieldAt(at, "backendRefs"), "Required", "without a backend of a weight above 0, calls that match are answered UNAVAILABLE"),
    );
  }
  return found;
}

function validateMatch(match: GrpcMatchSpec, at: string): Violation[] {
  return [
    ...(match.method === undefined ? [] : validateMethod(match.method, fieldAt(at, "method"))),
    ...validateValues(match.headers ?? [], fieldAt(at, "headers"), (name) => name.toLowerCase()),
  ];
}

function validateMethod(match: GrpcMethodMatch, at: string): Violation[] {
  const { type = "Exact", service, method } = match;
  if (service === undefined && method === undefined) return [violation(at, "Required", "name a service, a method or both")];
  if (type === "RegularExpression") return validateRegex(pathOf(match).value, at);
  const found: Violation[] = [];
  if (service !== undefined && !/^\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$/i.test(service)) {
    found.push(violation(fieldAt(at, "service"), "Invalid", `${JSON.stringify(service)} is no service such as shop.v1.Orders`));
  }
  if (method !== undefined && !/^[A-Za-z_][A-Za-z_0-9]*$/.test(method)) {
    found.push(violation(fieldAt(at, "method"), "Invalid", `${JSON.stringify(method)} is no method name`));
  }
  return found;
}
