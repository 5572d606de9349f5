import type { LabelSelector } from "./match.ts";
import { unreachable } from "./unreachable.ts";

export type Labels = Readonly<Record<string, string>>;

/** Whether a label selector selects these labels (Kubernetes semantics: everything must hold; an empty selector selects all). */
export function labelsMatch(selector: LabelSelector, labels: Labels): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every((requirement) => requirementHolds(requirement, labels[requirement.key]))
  );
}

function requirementHolds(requirement: NonNullable<LabelSelector["matchExpressions"]>[number], value: string | undefined): boolean {
  const { operator, values = [] } = requirement;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return unreachable(operator);
  }
}
