/** Mistakes that the schema cannot see. A route with an error is not accepted as a whole and applies to nothing. */
import { itemAt } from "../core/field-path.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import { validateConnectionRoute } from "../tcp-route/validate.ts";
import type { TlsRoute } from "./schema.ts";

export function validateTlsRoute(route: TlsRoute): Violation[] {
  const names = route.spec.hostnames ?? [];
  return [
    ...validateConnectionRoute(route, route.spec.rules ?? [{}]),
    ...names.flatMap((name, index): Violation[] => {
      const at = itemAt("spec.hostnames", index);
      if (/^[\d.]+$/.test(name)) return [violation(at, "Invalid", "a TLS server name is no address")];
      return names.indexOf(name) < index ? [warning(at, "Duplicate", "stands here already")] : [];
    }),
  ];
}
