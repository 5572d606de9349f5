/** A request as policies see it: the vocabulary of every kind's `evaluate`. Nothing here knows how Envoy works. */

/** The mesh identity of a caller that proved one by mTLS: `spiffe://<trustDomain>/ns/<namespace>/sa/<serviceAccount>`. */
export interface Identity {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** The claims of one token that was verified; unverified tokens never get this far. */
export interface VerifiedJwt {
  readonly issuer: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface PolicyRequest {
  /** As received. */
  readonly method: string;
  /** As received, with its query. */
  readonly path: string;
  /** The authority as received, possibly with a port. */
  readonly host: string;
  /** Lines in the order received; names in lower case; a name may repeat. Pseudo-headers are not among them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Textual address of the TCP peer. */
  readonly peerAddress: string;
  /** Absent when the caller came without mTLS. */
  readonly identity?: Identity;
  readonly jwts: readonly VerifiedJwt[];
}

/** The port of the called workload. */
export interface CalledPort {
  /** The container's port. */
  readonly number: number;
  readonly name?: string;
  readonly protocol: "HTTP" | "TCP";
}
