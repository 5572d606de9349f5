import type { Identity } from "../../crds/core/request.ts";
import type { HeaderLine } from "../support/http-client.ts";
import type { TokenPresentation } from "./token-presentation.ts";

/** A request of the oracle, tokens not yet minted. */
export interface OracleRequest {
  readonly version: 1 | 2;
  readonly method: string;
  /** As it goes over the wire, with its query. */
  readonly path: string;
  readonly authority: string;
  /** Over HTTP/2 in lower case. */
  readonly headers: readonly HeaderLine[];
  /** Whose certificate the client shows; none: plain text. */
  readonly identity: Identity | undefined;
  readonly peerAddress: string;
  /** Each becomes a further `authorization` line, in this order. */
  readonly tokens: readonly TokenPresentation[];
}
