/** Why a sidecar's token is not accepted. A closed set: tests may switch on it. */
export type SidecarTokenErrorCode =
  | "TokenMissing"
  | "TokenMalformed"
  | "TokenWrongSignature"
  | "TokenWrongAudience"
  | "TokenExpired"
  | "TokenNotYetValid"
  /** It is a service account's, and no pod's. */
  | "TokenNotBound"
  /** The API server says no. */
  | "TokenRefused"
  | "PodUnknown"
  /** The pod has been replaced by another of its name. */
  | "PodReplaced";

/** Its message may be shown to who presented the token, and never holds the token. */
export class SidecarTokenError extends Error {
  override readonly name = "SidecarTokenError";
  readonly code: SidecarTokenErrorCode;

  constructor(code: SidecarTokenErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}
