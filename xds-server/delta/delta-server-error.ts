/** What can keep the server from listening. A closed set: callers may switch on it. */
export type DeltaServerErrorCode =
  "AddressInUse" | "AddressNotAvailable" | "AddressForbidden" | "InsecureNotLoopback" | "CertificateInvalid" | "ListenFailed";

/** The message names the address and the remedy; the operating system's words are in `cause`. */
export class DeltaServerError extends Error {
  readonly code: DeltaServerErrorCode;

  constructor(code: DeltaServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DeltaServerError";
    this.code = code;
  }
}
