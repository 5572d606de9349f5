/**
 * The types that travel on the stream and the order in which they go. What a resource refers to is there before the
 * reference and stays until the reference is gone.
 */
export const TYPE_URL = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoints: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  extensionConfig: "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
} as const;

export interface ResourceType {
  readonly typeUrl: string;
  /** Additions and updates go in ascending rank. */
  readonly rank: number;
  /** Removals go in ascending removal rank: what refers goes before what it refers to. */
  readonly removalRank: number;
  /** Additions wait until Envoy has answered those of every lower rank. */
  readonly waits: boolean;
  /** A first request that names nothing asks for everything (the xDS protocol's legacy wildcard). */
  readonly wildcard: boolean;
}

/**
 * In the order of sending, with a reason per line. Removals of what is only reached by name (routes, extension
 * configurations, endpoints) come after those of what names it: by then Envoy has unsubscribed, and nothing is left to
 * send.
 */
const TYPES: readonly ResourceType[] = [
  { typeUrl: TYPE_URL.cluster, rank: 0, removalRank: 3, waits: false, wildcard: true }, // first: everything refers to clusters
  { typeUrl: TYPE_URL.endpoints, rank: 1, removalRank: 4, waits: false, wildcard: false }, // never waits: Envoy acknowledges a cluster only once its endpoints have come
  { typeUrl: TYPE_URL.secret, rank: 2, removalRank: 5, waits: false, wildcard: false }, // never waits, for the same reason
  { typeUrl: TYPE_URL.listener, rank: 3, removalRank: 0, waits: true, wildcard: true }, // a TCP listener names clusters
  { typeUrl: TYPE_URL.extensionConfig, rank: 4, removalRank: 1, waits: true, wildcard: false }, // filled slots must exist before a route switches them on
  { typeUrl: TYPE_URL.route, rank: 5, removalRank: 2, waits: true, wildcard: false }, // last: names clusters and filters
];

const BY_URL = new Map(TYPES.map((type) => [type.typeUrl, type]));

/** Types that the order does not know go last and wait for nobody. */
export function resourceType(typeUrl: string): ResourceType {
  return BY_URL.get(typeUrl) ?? { typeUrl, rank: TYPES.length, removalRank: TYPES.length, waits: false, wildcard: false };
}
