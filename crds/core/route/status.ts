/** What a route's status says, as the Gateway API has it: one entry for each parent that is a Service. */
import { errorsOf, type Violation } from "../violation.ts";
import { attach, type Attachment } from "./attachment.ts";
import { originOf, resolveBackend } from "./backend.ts";
import type { AnyRoute, BackendReference, RouteParentRef } from "./schema.ts";
import type { KnownServices } from "./services.ts";

export interface RouteCondition {
  readonly type: "Accepted" | "ResolvedRefs";
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** An entry of `status.parents`, without what the writer adds (controllerName, observedGeneration, times). */
export interface RouteParentStatus {
  readonly parentRef: RouteParentRef;
  readonly conditions: readonly RouteCondition[];
}

/**
 * The status of a route that holds these `references` (unread when it has errors), of which `violations` says what
 * validation found.
 */
export function parentStatuses(
  route: AnyRoute,
  references: () => readonly BackendReference[],
  violations: readonly Violation[],
  services: KnownServices,
): readonly RouteParentStatus[] {
  const errors = errorsOf(violations);
  const resolved = resolvedRefs(route, errors.length > 0 ? [] : references(), services);
  return (route.spec.parentRefs ?? []).flatMap((parentRef) => {
    const attachment = attach(route, parentRef, services);
    if (attachment.kind === "foreign") return [];
    return [{ parentRef, conditions: [accepted(attachment, errors), resolved] }];
  });
}

function accepted(attachment: Exclude<Attachment, { kind: "foreign" }>, errors: readonly Violation[]): RouteCondition {
  const type = "Accepted";
  if (errors.length > 0) {
    const incompatible = errors.every((error) => error.reason === "Conflict" && error.path.includes(".filters"));
    const message = errors.map((error) => `${error.path}: ${error.message}`).join("; ");
    return { type, status: "False", reason: incompatible ? "IncompatibleFilters" : "UnsupportedValue", message };
  }
  if (attachment.kind === "refused") return { type, status: "False", reason: attachment.reason, message: attachment.message };
  return { type, status: "True", reason: "Accepted", message: "" };
}

function resolvedRefs(route: AnyRoute, references: readonly BackendReference[], services: KnownServices): RouteCondition {
  const type = "ResolvedRefs";
  const origin = originOf(route);
  const dangling = references
    .map((ref) => resolveBackend(origin, ref, services))
    .flatMap((backend) => (backend.kind === "dangling" ? [backend] : []));
  const [first] = dangling;
  if (first === undefined) return { type, status: "True", reason: "ResolvedRefs", message: "" };
  const messages = new Set(dangling.map((backend) => backend.message));
  return { type, status: "False", reason: first.reason, message: [...messages].join("; ") };
}
