/** The webhooks' port could not be opened. `code` is stable. */
export class AdmissionServerError extends Error {
  readonly code: "AddressInUse" | "AddressNotAvailable";

  constructor(address: { readonly host: string; readonly port: number }, cause: NodeJS.ErrnoException) {
    const where = `${address.host}:${address.port}`;
    const inUse = cause.code === "EADDRINUSE";
    super(
      inUse
        ? `the webhooks' address ${where} is in use: stop what listens there, or choose another`
        : `the webhooks' address ${where} cannot be used (${cause.code ?? cause.message}): choose one of this machine's`,
      { cause },
    );
    this.name = "AdmissionServerError";
    this.code = inUse ? "AddressInUse" : "AddressNotAvailable";
  }
}
