/** The kinds that a source may hold: Seawall's own, and those of Kubernetes. */
import type { Kind } from "../../crds/core/kind.ts";
import type { KubernetesObject } from "../../crds/core/object.ts";
import { checkSchema } from "../../crds/core/schema.ts";
import { errorsOf, type Violation } from "../../crds/core/violation.ts";
import type { KnownKind } from "./known-kind.ts";
import { KUBERNETES_KINDS } from "./kubernetes-kinds.ts";

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
