/**
 * What the delta server is fed. It knows resources as bytes with a name and a version, and knows which of them each
 * subscriber sees; it does not know what they mean.
 *
 * A subscriber (one pod) sees the union of its layers. A layer is a named set of resources that many subscribers
 * share: the pod's own, its workload's, the outbound services of everybody who may call the same ones, the trust
 * bundle. Within one subscriber's view a (type, name) pair occurs once.
 */

/** Identifies a resource in the whole mesh. Two resources may have the same wire name as long as no subscriber sees both. */
export type ResourceId = string;

/** One resource as the wire carries it: immutable, encoded once, shared by every stream. */
export interface EncodedResource {
  readonly typeUrl: string;
  /** The name on the wire. */
  readonly name: string;
  /** A hash of the content: equal content has an equal version after any restart. */
  readonly version: string;
  /** A serialized envoy.service.discovery.v3.Resource: name, version and the packed message. */
  readonly entry: Uint8Array;
}

export interface Layer {
  readonly key: string;
  /** Never altered once it was fed: what differs is told from the set that was fed before. */
  readonly resources: ReadonlySet<ResourceId>;
}

export interface Subscriber {
  /** `namespace/pod`. */
  readonly key: string;
  /** Keys of its layers. */
  readonly layers: readonly string[];
}

/** Everything that changed in one tick. An undefined value is a removal. References may be to things of the same update. */
export interface XdsUpdate {
  readonly resources: ReadonlyMap<ResourceId, EncodedResource | undefined>;
  readonly layers: ReadonlyMap<string, Layer | undefined>;
  readonly subscribers: ReadonlyMap<string, Subscriber | undefined>;
}

/**
 * Resources that are made for one stream and kept by nobody: a workload's certificate. `open` is called when a stream
 * subscribes to a name that `handles` accepts; `send` may be called at once and any number of times later (rotation).
 * `knownVersion` is what a reconnecting sidecar says it has: when it is still good nothing is sent for now.
 */
export interface PrivateResources {
  readonly typeUrl: string;
  handles(name: string): boolean;
  open(subscriber: string, name: string, knownVersion: string | undefined, send: (resource: EncodedResource) => void): PrivateSubscription;
}

export interface PrivateSubscription {
  close(): void;
}

/** Who a stream's bearer token says it is. */
export interface AuthenticatedSubscriber {
  readonly subscriber: string;
  /** Which of those that bear this name one after another: the pod's UID. Undefined where the token does not say. */
  readonly uid?: string;
  /** Unix milliseconds. The server closes the stream before this moment, so that a fresh token is presented. */
  readonly expiresAt: number;
  /**
   * Calls `end`, at once or later, when the stream may not go on although its subscriber does: another pod has the name
   * now. Returns what ends the interest.
   */
  readonly onRevoked?: (end: () => void) => () => void;
}

/** Nobody can say for now who a token is of. */
export class AuthenticationUnavailable extends Error {
  override readonly name = "AuthenticationUnavailable";
}

export interface StreamAuthenticator {
  /**
   * Resolves with the identity, or rejects with an Error whose message may be shown to the caller. It is an
   * {@link AuthenticationUnavailable} when the same token may well be accepted in a while.
   */
  authenticate(bearerToken: string | undefined): Promise<AuthenticatedSubscriber>;
}
