/** Where an API server is and with what proof it is spoken to. Proofs change while a process runs: ask before every request. */
import type { OutgoingHttpHeaders } from "node:http";
import type { Agent, RequestOptions } from "node:https";

/** The part of a request that says who asks, and how the server is known to be the right one. */
export type Credentials = Pick<
  RequestOptions,
  "auth" | "ca" | "cert" | "key" | "pfx" | "passphrase" | "rejectUnauthorized" | "servername"
> & {
  readonly headers?: OutgoingHttpHeaders;
  /** Leads through a proxy; the connection is kept alive and direct when absent. */
  readonly agent?: Agent;
};

export interface ClusterAccess {
  /** With the path that stands before every API path, if any, and without a slash at its end. */
  readonly server: string;
  /** The namespace that is meant where none is named. */
  readonly namespace: string;
  /** Rejects with a {@link ClusterAccessError}. */
  credentials(): Promise<Credentials>;
}

/** Why no API server can be spoken to, in words for the person who configured it. */
export class ClusterAccessError extends Error {
  readonly code: "KubeconfigNotFound" | "KubeconfigInvalid" | "ContextNotFound" | "CredentialsUnavailable" | "NoCluster";

  constructor(code: ClusterAccessError["code"], message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "ClusterAccessError";
    this.code = code;
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
