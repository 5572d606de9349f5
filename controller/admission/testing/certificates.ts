import { CertificateAuthority } from "../../../ca/authority.ts";
import { StateParts } from "../../../ca/state-parts.ts";
import type { WebhookCertificate } from "../server.ts";

/** An authority that keeps nothing. */
export function newAuthority(): CertificateAuthority {
  const remedies = { restore: "", startOver: "", removePart: "" };
  return new CertificateAuthority({ store: new StateParts({ path: "memory", remedies }, new Map()), trustDomain: "cluster.local" });
}

/** A serving certificate for localhost. */
export function webhookCertificate(authority: CertificateAuthority): WebhookCertificate {
  const issued = authority.issue({ trustDomain: "cluster.local", namespace: "seawall-system", serviceAccount: "seawall" }, ["localhost"]);
  return { chain: issued.chainPem, privateKey: issued.key.reveal() };
}
