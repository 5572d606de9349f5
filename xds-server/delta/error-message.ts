import { isNativeError } from "node:util/types";

export function messageOf(error: unknown): string {
  return isNativeError(error) ? error.message : String(error);
}

/** The operating system's or Node's name of an error, such as EADDRINUSE. */
export function codeOf(error: unknown): unknown {
  return isNativeError(error) && "code" in error ? error.code : undefined;
}
