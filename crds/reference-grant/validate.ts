import { fieldAt, itemAt } from "../core/field-path.ts";
import { GATEWAY_API_GROUP, ROUTE_KINDS } from "../core/route/services.ts";
import { type Violation, warning } from "../core/violation.ts";
import type { ReferenceGrant } from "./schema.ts";

/** A grant is never wrong: what Seawall does not follow is somebody else's business. What looks like a slip is a warning. */
export function validateReferenceGrant({ spec }: ReferenceGrant): Violation[] {
  const isRoute = (kind: string): boolean => ROUTE_KINDS.some((known) => known === kind);
  const from = spec.from.flatMap(({ group, kind }, index) =>
    isRoute(kind) && group !== GATEWAY_API_GROUP
      ? [warning(fieldAt(itemAt("spec.from", index), "group"), "Invalid", `a ${kind} is of the group ${GATEWAY_API_GROUP}`)]
      : [],
  );
  const to = spec.to.flatMap(({ group, kind }, index) =>
    kind === "Service" && group !== ""
      ? [warning(fieldAt(itemAt("spec.to", index), "group"), "Invalid", 'a Service is of the core group: write `group: ""`')]
      : [],
  );
  return [...from, ...to];
}
