/** What can keep the server from listening. A closed set: callers may switch on it. */
export type DeltaServerErrorCode =
  "ADDRESS_IN_USE" | "ADDRESS_UNAVAILABLE" | "ADDRESS_FORBIDDEN" | "INSECURE_NOT_LOOPBACK" | "CERTIFICATE_INVALID" | "LISTEN_FAILED";

/** The message names the address and the remedy; the operating system's words are in `cause`. */
export class DeltaServerError extends Error {
  readonly code: DeltaServerErrorCode;

  constructor(code: DeltaServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DeltaServerError";
    this.code = code;
  }
}
