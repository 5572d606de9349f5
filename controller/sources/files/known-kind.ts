/** The kinds that a folder may hold, and what is known of each. */
import type { Kind } from "../../../crds/core/kind.ts";
import type { KubernetesObject } from "../../../crds/core/object.ts";
import { checkSchema } from "../../../crds/core/schema.ts";
import { errorsOf, type Violation } from "../../../crds/core/violation.ts";
import { KUBERNETES_KINDS } from "./kubernetes-kinds.ts";

export interface KnownKind {
  readonly kind: string;
  readonly apiVersion: string;
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
    namespaced: kind.scope === "Namespaced",
    security: kind.security,
    closed: true,
    confidential: [],
    validate: (object) => check(kind, object),
  }));
  return new Map([...KUBERNETES_KINDS, ...own].map((known) => [known.kind, known]));
}
