/** Why a join token is not accepted. A closed set: clients and tests may switch on it. */
export type JoinTokenErrorCode =
  | "TokenMissing"
  | "TokenMalformed"
  | "TokenWrongIssuer"
  | "TokenWrongAudience"
  | "TokenWrongSignature"
  | "TokenExpired"
  | "TokenNotYetValid"
  /** It was renewed for as long as may be. */
  | "TokenLifetimeExhausted"
  | "PodUnknown"
  /** The pod has been replaced by another of its name. */
  | "PodReplaced"
  /** A token that was asked for cannot be made. */
  | "InvalidRequest";

/** Its message may be shown to who presented the token, and never holds the token. */
export class JoinTokenError extends Error {
  override readonly name = "JoinTokenError";
  readonly code: JoinTokenErrorCode;

  constructor(code: JoinTokenErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}
