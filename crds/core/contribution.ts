/**
 * What a kind's `translate` returns: data, never a mutation of somebody else's message. One assembler
 * (controller/mesh/inbound.ts) puts the contributions of all kinds together in the order of http-filter-order.ts.
 */
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Policy } from "../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import type { RouteMatch } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import type { JwtProvider, JwtRequirement } from "../../xds-server/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import type { HttpFilterName } from "../../xds-server/envoy/http-filter-order.ts";

/** Which of the four RBAC rule sets a rule belongs to. Audit sets decide nothing: they are what would happen. */
export type RbacSlot = "deny" | "allow" | "audit-deny" | "audit-allow";

/** One named RBAC policy. The name is `<kind>/<namespace>/<policy>/<rule>`, all lower-case kind; it is what logs and explain say. */
export interface RbacRule {
  readonly slot: RbacSlot;
  readonly name: string;
  readonly policy: Policy;
}

/** A route that stands before the catch-all one and carries filter settings of its own. */
export interface RouteVariant {
  /** Appears as the route's name in the access log. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly perRoute: PerRoute;
}

/** Per-route filter configuration; a key that is absent leaves the filter as the listener declares it (disabled). */
export type PerRoute = Readonly<Partial<Record<HttpFilterName, Any>>>;

/** What one kind adds to one HTTP port of a workload. Everything is optional. */
export interface InboundHttpContribution {
  readonly rbac?: readonly RbacRule[];
  /** For the virtual host, and so for every route that does not override it. */
  readonly perRoute?: PerRoute;
  /** In order of precedence. */
  readonly variants?: readonly RouteVariant[];
  /** Virtual-host metadata under `seawall`, for the access log: e.g. `authentication: authenticationpolicy/shop/orders`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Providers and requirements of the workload's jwt_authn filter, by name. Names must be unique in the workload. */
  readonly jwtProviders?: Readonly<Record<string, JwtProvider>>;
  readonly jwtRequirements?: Readonly<Record<string, JwtRequirement>>;
  /** Request headers, lower case, that are removed before any filter runs. */
  readonly stripRequestHeaders?: readonly string[];
}
