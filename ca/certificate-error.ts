/** Why no certificate can be issued. */
export type CertificateErrorCode =
  "InvalidTrustDomain" | "InvalidIdentity" | "InvalidDnsName" | "InvalidLifetime" | "ChainExpired" | "RotationOutOfOrder";

export class CertificateError extends Error {
  override readonly name = "CertificateError";
  readonly code: CertificateErrorCode;

  constructor(code: CertificateErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
