/**
 * Where `jwt_authn` leaves the claims of a verified token: in this namespace of the dynamic metadata, whatever the
 * filter's own name in the chain is, under the issuer (providers set `payload_in_metadata` to their issuer).
 */
export const JWT_METADATA = "envoy.filters.http.jwt_authn";
