/**
 * Where the claims of verified tokens are, for whoever reads them: dynamic metadata of this namespace, under the issuer's
 * name. Envoy writes there whatever the filter is called. Only verified tokens get this far.
 */
export const JWT_METADATA_NAMESPACE = "envoy.filters.http.jwt_authn";

/** The path, inside of the namespace, of an issuer's claims; a nested claim is further keys. */
export function jwtMetadataPath(issuer: string, ...claim: readonly string[]): readonly string[] {
  return [issuer, ...claim];
}

/** The keys of a claim as policies write it: a name, or a JSON pointer (RFC 6901) for a nested one. */
export function claimPath(claim: string): readonly string[] {
  if (!claim.startsWith("/")) return [claim];
  return claim
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}
