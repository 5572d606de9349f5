/** What only shows when all manifests are seen together: targets that do not exist, policies that stand in each other's way. */
import { ROUTE_KINDS } from "../../crds/core/route/services.ts";
import { type MeshRoute, routeStatusOf } from "../../crds/routes.ts";
import { warning } from "../../crds/core/violation.ts";
import type { SourceEntry } from "../../controller/model/source-entry.ts";
import type { LocatedViolation } from "../../controller/sources/files/located-violation.ts";
import { policyStatuses } from "../../controller/status/policy-status.ts";
import { offlineMesh } from "./offline-mesh.ts";

/** Warnings about objects that hold by themselves. Empty when there is no Service to hold anything against. */
export function checkReferences(entries: ReadonlyMap<string, SourceEntry>): readonly LocatedViolation[] {
  if (![...entries.keys()].some((key) => key.startsWith("Service/"))) return [];
  const { mesh } = offlineMesh(entries);
  const at = (key: string, path: string, reason: "NotFound" | "Conflict", message: string): readonly LocatedViolation[] => {
    const entry = entries.get(key);
    return entry?.state === "valid" ? [{ ...warning(path, reason, message), ...entry.origin, column: 1 }] : [];
  };
  const unknown = (): undefined => undefined;
  const nobody = { sequenceOf: unknown, acknowledgedThrough: unknown, rejection: unknown };
  const policies = policyStatuses(mesh, nobody).flatMap((status) =>
    status.conditions.flatMap((condition) => {
      const key = `${status.kind}/${status.namespace ?? ""}/${status.name}`;
      if (condition.reason === "TargetNotFound") return at(key, "spec.targetRefs", "NotFound", condition.message);
      if (condition.reason === "Conflicted") return at(key, "spec.targetRefs", "Conflict", condition.message);
      return [];
    }),
  );
  const services = mesh.routeWorld.knownServices();
  const routes = [...entries].flatMap(([key, entry]) => {
    if (entry.state !== "valid" || !ROUTE_KINDS.some((kind) => key.startsWith(`${kind}/`))) return [];
    return routeStatusOf(entry.object as MeshRoute, [], services).flatMap(({ conditions }) =>
      conditions
        .filter(({ status, message }) => status === "False" && message !== "")
        .flatMap(({ type, message }) => at(key, type === "ResolvedRefs" ? "spec.rules" : "spec.parentRefs", "NotFound", message)),
    );
  });
  return [...policies, ...routes];
}
