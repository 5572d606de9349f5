/** The admin port could not be opened. `code` is stable. */
export class AdminServerError extends Error {
  readonly code: "AddressInUse" | "AddressNotAvailable";

  constructor(address: { readonly host: string; readonly port: number }, cause: NodeJS.ErrnoException) {
    const where = `${address.host}:${address.port}`;
    const inUse = cause.code === "EADDRINUSE";
    super(
      inUse
        ? `the admin address ${where} is in use: stop what listens there, or choose another with --admin-address`
        : `the admin address ${where} cannot be used (${cause.code ?? cause.message}): choose one of this machine's with --admin-address`,
      { cause },
    );
    this.name = "AdminServerError";
    this.code = inUse ? "AddressInUse" : "AddressNotAvailable";
  }
}
