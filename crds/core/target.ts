/** What is wrong with a policy's `targetRefs` and `targetSelectors`, as far as the policy alone can tell. */
import { fieldAt, itemAt } from "./field-path.ts";
import type { LabelSelector, TargetRef, TargetSelector } from "./match.ts";
import type { ObjectMeta } from "./object.ts";
import { violation, type Violation } from "./violation.ts";

export interface Targeting {
  readonly targetRefs?: readonly TargetRef[];
  readonly targetSelectors?: readonly TargetSelector[];
}

/** A namespaced policy protects exactly one of what it refers to and what it selects. */
export function validateTargets(spec: Targeting, metadata: ObjectMeta, path = "spec"): Violation[] {
  const { targetRefs, targetSelectors } = spec;
  if (targetRefs === undefined && targetSelectors === undefined) {
    return [violation(path, "Required", "say what the policy protects: `targetRefs` (Namespace or Service) or `targetSelectors` (Pod)")];
  }
  const found: Violation[] = [];
  if (targetRefs !== undefined && targetSelectors !== undefined) {
    found.push(violation(fieldAt(path, "targetSelectors"), "Conflict", "say `targetRefs` or `targetSelectors`, not both"));
  }
  targetRefs?.forEach((ref, index) => found.push(...validateRef(ref, metadata, itemAt(fieldAt(path, "targetRefs"), index))));
  return [...found, ...validateSelectors(targetSelectors, fieldAt(path, "targetSelectors"))];
}

export function validateSelectors(selectors: readonly TargetSelector[] | undefined, path: string): Violation[] {
  return (selectors ?? []).flatMap((selector, index) => validateLabelSelector(selector, itemAt(path, index)));
}

export function validateLabelSelector(selector: LabelSelector, path: string): Violation[] {
  return (selector.matchExpressions ?? []).flatMap(({ operator, values = [] }, index) => {
    const at = fieldAt(itemAt(fieldAt(path, "matchExpressions"), index), "values");
    const needsValues = operator === "In" || operator === "NotIn";
    if (needsValues && values.length === 0) return [violation(at, "Required", `${operator} needs at least one value`)];
    if (!needsValues && values.length > 0) return [violation(at, "Invalid", `${operator} takes no values`)];
    return [];
  });
}

function validateRef(ref: TargetRef, metadata: ObjectMeta, path: string): Violation[] {
  const found: Violation[] = [];
  if (ref.group !== undefined && ref.group !== "" && ref.group !== "core") {
    found.push(violation(fieldAt(path, "group"), "Invalid", `${ref.kind} is of the core group: leave \`group\` out`));
  }
  const name = fieldAt(path, "name");
  if (ref.kind === "Service" && ref.name === undefined) found.push(violation(name, "Required", "name the Service"));
  if (ref.kind === "Namespace" && ref.name !== undefined && ref.name !== metadata.namespace) {
    found.push(
      violation(name, "Invalid", `a policy protects its own namespace only: leave \`name\` out, or move the policy to ${ref.name}`),
    );
  }
  return found;
}
