/** Why a part of an object is not acceptable. A closed set: tools and tests may switch on it. */
export type ViolationReason =
  | "UnknownKind"
  | "UnknownField"
  | "WrongType"
  | "Required"
  | "Invalid"
  | "NotSupported"
  | "Duplicate"
  | "TooMany"
  | "Conflict"
  | "NotFound"
  | "Malformed";

/**
 * A user's mistake, as a value. `path` is a field path as kubectl prints it (`spec.rules[0].to[1].methods[0]`), empty
 * for the object as a whole. `message` says what is wrong and how to mend it, without repeating the path.
 */
export interface Violation {
  readonly path: string;
  readonly reason: ViolationReason;
  readonly message: string;
  /** A warning is legal but risky: it never stops a policy. */
  readonly severity: "error" | "warning";
}

export function violation(path: string, reason: ViolationReason, message: string): Violation {
  return { path, reason, message, severity: "error" };
}

export function warning(path: string, reason: ViolationReason, message: string): Violation {
  return { path, reason, message, severity: "warning" };
}

export function errorsOf(violations: readonly Violation[]): readonly Violation[] {
  return violations.filter((found) => found.severity === "error");
}
