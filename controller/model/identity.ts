import type { Identity } from "../../crds/core/request.ts";

/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` (SPIFFE ID, section 2). */
export function spiffeId(identity: Identity): string {
  return `spiffe://${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`;
}
