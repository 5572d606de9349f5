/** The control plane could not start because of what it was given. `code` is stable, the message says what to do. */
export class ControlPlaneError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "ControlPlaneError";
    this.code = code;
  }
}
