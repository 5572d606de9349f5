/** What is wrong with a route's parents, backends and names, whatever its kind, as far as the route alone can tell. */
import { fieldAt, itemAt } from "../field-path.ts";
import { violation, type Violation, warning } from "../violation.ts";
import { isServiceParent, namespaceOf } from "./attachment.ts";
import { isServiceBackend } from "./backend.ts";
import type { AnyRoute, BackendReference, RouteParentRef } from "./schema.ts";

export function validateParents(route: AnyRoute): Violation[] {
  const parents = route.spec.parentRefs ?? [];
  const namespace = namespaceOf(route);
  if (parents.length === 0) return [warning("spec.parentRefs", "Required", "without a parent the route applies to nothing")];
  return parents.flatMap((parent, index) => {
    const at = itemAt("spec.parentRefs", index);
    if (parent.kind === "Service" && parent.group === undefined) {
      const message = 'write `group: ""` for a Service: what is absent means gateway.networking.k8s.io';
      return [violation(fieldAt(at, "group"), "Required", message)];
    }
    if (!isServiceParent(parent)) {
      const kind = parent.kind ?? "Gateway";
      return [
        warning(fieldAt(at, "kind"), "NotSupported", `Seawall routes for Services: a ${kind} as parent is left to its own controller`),
      ];
    }
    return validateServiceParent(parent, at, namespace, parents.slice(0, index));
  });
}

function validateServiceParent(parent: RouteParentRef, at: string, namespace: string, before: readonly RouteParentRef[]): Violation[] {
  const of = ({ namespace: own = namespace, name }: RouteParentRef): string => `${own}/${name}`;
  const same = before.filter((other) => isServiceParent(other) && of(other) === of(parent));
  if (same.some((other) => other.port === parent.port && other.sectionName === parent.sectionName)) {
    return [violation(at, "Duplicate", "the same parent stands here already")];
  }
  const setsSameFields = (other: RouteParentRef): boolean =>
    (other.port === undefined) === (parent.port === undefined) && (other.sectionName === undefined) === (parent.sectionName === undefined);
  if (same.every(setsSameFields)) return [];
  return [violation(at, "Conflict", `parents that name ${parent.name} must all set port, or sectionName, or neither`)];
}

/**
 * What can be said of a reference without knowing the services. One that cannot be followed is no error: the route is
 * accepted, its status says ResolvedRefs=False, and its share of the requests is refused.
 */
export function validateBackendReference(ref: BackendReference, at: string): Violation[] {
  if (!isServiceBackend(ref)) {
    const message = `only a Service can be a backend: what is sent to ${ref.kind ?? ref.name} is refused`;
    return [warning(fieldAt(at, "kind"), "NotSupported", message)];
  }
  return ref.port === undefined ? [violation(fieldAt(at, "port"), "Required", "is required for a Service")] : [];
}

/** The rule's own name within its route: an unnamed rule goes by its position, from 0. */
export function ruleName(rule: { readonly name?: string }, index: number): string {
  return rule.name ?? String(index);
}

/** An unnamed rule goes by its position, which no other rule may have as its name. */
export function validateRuleNames(rules: readonly { readonly name?: string }[]): Violation[] {
  const names = rules.map(ruleName);
  return rules.flatMap((rule, index) => {
    const taken = names.some((name, other) => other !== index && name === names[index]) && rule.name !== undefined;
    return taken
      ? [violation(fieldAt(itemAt("spec.rules", index), "name"), "Duplicate", `another rule is called ${rule.name ?? ""} as well`)]
      : [];
  });
}
