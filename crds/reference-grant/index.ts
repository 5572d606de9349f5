import type { Kind } from "../core/kind.ts";
import { GATEWAY_API_VERSION } from "../core/route/services.ts";
import { ReferenceGrantSpec } from "./schema.ts";
import { validateReferenceGrant } from "./validate.ts";

/** The Gateway API's kind. It is not Seawall's own: its CRD comes from the Gateway API. */
export const referenceGrant: Kind<typeof ReferenceGrantSpec> = {
  kind: "ReferenceGrant",
  apiVersion: GATEWAY_API_VERSION,
  plural: "referencegrants",
  shortNames: [],
  scope: "Namespaced",
  question: "which routes of other namespaces may send requests to services of this one",
  security: false,
  schema: ReferenceGrantSpec,
  validate: validateReferenceGrant,
};

export { permitsReference } from "./evaluate.ts";
export type { ReferenceGrant } from "./schema.ts";
