import { fieldAt } from "../core/field-path.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import { isServiceBackend } from "./attachment.ts";
import type { BackendReference } from "./schema.ts";

/**
 * What can be said of a reference without knowing the services. One that cannot be followed is no error: the route is
 * accepted, its status says ResolvedRefs=False, and its share of the requests is answered with 500.
 */
export function validateBackendReference(ref: BackendReference, at: string, namespace: string): Violation[] {
  if (!isServiceBackend(ref)) {
    return [
      warning(fieldAt(at, "kind"), "NotSupported", `only a Service can be a backend: requests to ${ref.kind ?? ref.name} answer 500`),
    ];
  }
  if (ref.port === undefined) return [violation(fieldAt(at, "port"), "Required", "is required for a Service")];
  if (ref.namespace === undefined || ref.namespace === namespace) return [];
  return [warning(fieldAt(at, "namespace"), "NotSupported", "a route may not reach another namespace yet: its requests there answer 500")];
}
