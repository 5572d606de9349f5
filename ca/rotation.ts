import type { CertificateSummary } from "./leaf-version.ts";
import type { Randomness } from "./randomness.ts";
import { BACKDATE } from "./signing-credential.ts";

type Validity = Pick<CertificateSummary, "notBefore" | "notAfter">;

/** The part of a half life by which a rotation comes earlier or later, so that a mesh that started at once does not rotate at once. */
const JITTER = 0.1;

/** Unix milliseconds at which half of a leaf's life is over, counted from when it was issued. */
export function halfLife({ notBefore, notAfter }: Validity): number {
  return (notBefore + BACKDATE + notAfter) / 2;
}

/** Unix milliseconds at which a leaf is to be replaced: its half life, 10 % of it earlier or later. */
export function rotationDue(certificate: Validity, randomness: Randomness): number {
  const half = halfLife(certificate);
  return half + (2 * randomness.fraction() - 1) * JITTER * (certificate.notAfter - half);
}
