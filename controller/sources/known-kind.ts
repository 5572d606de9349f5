/** The kinds that a source may hold, and what is known of each. */
import type { Kind } from "../../crds/core/kind.ts";
import type { KubernetesObject } from "../../crds/core/object.ts";
import { checkSchema } from "../../crds/core/schema.ts";
import { errorsOf, violation, type Violation } from "../../crds/core/violation.ts";
import { KUBERNETES_KINDS } from "./kubernetes-kinds.ts";

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

/** Checks the spec of one of Seawall's objects. */
export type ObjectCheck = (kind: Kind, object: KubernetesObject) => Violation[];

/** First the schema; what the kind itself has to say is only meaningful when that holds. */
export const checkObject: ObjectCheck = (kind, object) => {
  const found = checkSchema(kind.schema, object.spec, "spec");
  return errorsOf(found).length > 0 ? found : [...found, ...kind.validate(object)];
};

/** By kind. A kind of Seawall's takes the place of a Kubernetes kind of the same name. */
export function knownKinds(kinds: readonly Kind[], check: ObjectCheck = checkObject): ReadonlyMap<string, KnownKind> {
  const own = kinds.map((kind): KnownKind => ({
    kind: kind.kind,
    apiVersion: kind.apiVersion,
    plural: kind.plural,
    namespaced: kind.scope === "Namespaced",
    security: kind.security,
    closed: true,
    confidential: [],
    validate: (object) => check(kind, object),
  }));
  return new Map([...KUBERNETES_KINDS, ...own].map((known) => [known.kind, known]));
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
