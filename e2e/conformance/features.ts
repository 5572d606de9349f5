/** What Seawall claims of the Gateway API's mesh features. docs/conformance/README.md says why the others are not claimed. */

/** Where the suite puts its pods. */
export const NAMESPACES = ["gateway-conformance-mesh", "gateway-conformance-mesh-consumer"] as const;

export const PROFILES = ["MESH-HTTP", "MESH-GRPC"] as const;

/** Core: what the profiles ask of every mesh. */
const CORE = ["Mesh", "HTTPRoute", "GRPCRoute"] as const;

/** Extended features of the mesh profiles. */
export const EXTENDED = [
  "MeshClusterIPMatching",
  "MeshConsumerRoute",
  "MeshHTTPRouteRewritePath",
  "MeshHTTPRouteSchemeRedirect",
  "MeshHTTPRouteRedirectPort",
  "MeshHTTPRouteRedirectPath",
  "MeshHTTPRouteBackendRequestHeaderModification",
  "MeshHTTPRouteQueryParamMatching",
  "MeshHTTPRouteNamedRouteRule",
] as const;

/** Features of HTTPRoute that mesh tests ask for besides, without which the suite would leave those tests out. */
export const ASKED_BY_MESH_TESTS = [
  "HTTPRouteResponseHeaderModification",
  "HTTPRouteParentRefPort",
  "HTTPRoute303RedirectStatusCode",
  "HTTPRoute307RedirectStatusCode",
  "HTTPRoute308RedirectStatusCode",
] as const;

export const CLAIMED: readonly string[] = [...CORE, ...EXTENDED, ...ASKED_BY_MESH_TESTS];
