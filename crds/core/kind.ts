import type { Static, TSchema } from "typebox";
import type { CustomResource } from "./custom-resource.ts";
import type { KubernetesObject } from "./object.ts";
import type { Violation } from "./violation.ts";

/**
 * What every kind offers to the rest of the house. The schema is of `spec` alone; the CRD, the TypeScript type and the
 * reference page come from it. `validate` runs only when the schema holds, and reports every mistake at once.
 */
export interface Kind<Schema extends TSchema = TSchema> {
  readonly kind: string;
  readonly apiVersion: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly scope: "Namespaced" | "Cluster";
  /** The one question that the kind answers, as in the table of kinds. */
  readonly question: string;
  /** True when an invalid object must make its targets refuse, rather than be ignored. */
  readonly security: boolean;
  readonly schema: Schema;
  /** For the kinds whose CRD is Seawall's own; those of the Gateway API are installed from there. */
  readonly customResource?: CustomResource;
  validate(object: KubernetesObject<Static<Schema>>): Violation[];
}
