/** What a source knows of a kind that it may hold. */
import type { KubernetesObject } from "../../crds/core/object.ts";
import { violation, type Violation } from "../../crds/core/violation.ts";

export interface KnownKind {
  readonly kind: string;
  readonly apiVersion: string;
  /** As paths of the API have it. */
  readonly plural: string;
  readonly namespaced: boolean;
  /** True when an invalid object must make its targets refuse. */
  readonly security: boolean;
  /** Fields that are not known are mistakes; otherwise they are somebody else's. */
  readonly closed: boolean;
  /** The only fields that are read, when not all are; list items are written `[]`. */
  readonly reads?: readonly string[];
  /** Fields whose values no message may show. */
  readonly confidential: readonly string[];
  /** Everything that is wrong with an object whose `metadata` has been checked. */
  validate(object: KubernetesObject): Violation[];
}

/** A check that fails is a bug of ours, and no reason to take the object for right. */
export function validated(object: KubernetesObject, known: KnownKind): Violation[] {
  try {
    return known.validate(object);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [violation("", "Invalid", `could not be checked, which is a bug in Seawall: ${reason}`)];
  }
}

/** In Kubernetes a field that is null is a field that is absent. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, field]) => (field === null ? [] : [[key, withoutNulls(field)]])));
}
