import type { AdmissionRequest } from "../admission-review.ts";
import type { Known } from "../known.ts";

export const NOTHING_KNOWN: Known = {
  hasService: () => true,
  namespaceLabels: () => ({}),
  sidecars: () => [],
  acceptedIssuers: () => new Set(),
};

/** The request to write an object of Seawall's; `before` makes it an update. */
export function writing(
  object: { readonly kind: string; readonly metadata: object; readonly spec: object },
  before?: object,
): AdmissionRequest {
  const namespace = (object.metadata as { namespace?: string }).namespace ?? "";
  return {
    uid: "1",
    kind: { group: "seawall.dev", version: "v1alpha1", kind: object.kind },
    operation: before === undefined ? "CREATE" : "UPDATE",
    namespace,
    object,
    oldObject: before,
  };
}
