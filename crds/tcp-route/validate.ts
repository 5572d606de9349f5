/** Mistakes that the schema cannot see. A route with an error is not accepted as a whole and applies to nothing. */
import { fieldAt, itemAt } from "../core/field-path.ts";
import type { AnyRoute, ConnectionBackend } from "../core/route/schema.ts";
import { validateBackendReference, validateParents, validateRuleNames } from "../core/route/validate.ts";
import { type Violation, warning } from "../core/violation.ts";
import type { TcpRoute } from "./schema.ts";

export function validateTcpRoute(route: TcpRoute): Violation[] {
  return validateConnectionRoute(route, route.spec.rules ?? [{}]);
}

/** What TCPRoute and TLSRoute have in common. */
export function validateConnectionRoute(
  route: AnyRoute & { readonly spec: { readonly useDefaultGateways?: string } },
  rules: readonly { readonly name?: string; readonly backendRefs?: readonly ConnectionBackend[] }[],
): Violation[] {
  const found = [
    ...validateParents(route),
    ...rules.flatMap(({ backendRefs = [] }, index) => validateBackends(backendRefs, fieldAt(itemAt("spec.rules", index), "backendRefs"))),
    ...validateRuleNames(rules),
  ];
  if (route.spec.useDefaultGateways !== undefined) {
    found.push(warning("spec.useDefaultGateways", "NotSupported", "concerns Gateways, which Seawall does not serve yet"));
  }
  return found;
}

function validateBackends(refs: readonly ConnectionBackend[], at: string): Violation[] {
  const found = refs.flatMap((ref, index) => validateBackendReference(ref, itemAt(at, index)));
  if (!refs.some((ref) => (ref.weight ?? 1) > 0)) {
    found.push(warning(at, "Required", "without a backend of a weight above 0, connections are closed"));
  }
  return found;
}
