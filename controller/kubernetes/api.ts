/**
 * The Kubernetes API as the rest of the house sees it: paths and JSON, no generated classes. Objects are what the server
 * sent; whoever reads one says which fields it believes in.
 */

/** A path of the API such as `/api/v1/namespaces/shop/pods`, with what stands behind its question mark. */
export interface ApiRequest {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export type PatchType = "application/merge-patch+json" | "application/json-patch+json" | "application/apply-patch+yaml";

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  /** The object, or for ERROR a `Status`. */
  readonly object: unknown;
}

/** Every method rejects with a {@link KubernetesApiError}. */
export interface KubernetesApi {
  /** Where the server is, for messages: `https://10.0.0.1:443`. */
  readonly server: string;
  /** The answer's JSON, or its text where it is none, as a pod's log is. */
  get(request: ApiRequest): Promise<unknown>;
  create(request: ApiRequest, object: unknown): Promise<unknown>;
  /** Replaces an object; with `metadata.resourceVersion` only when nobody else did so in between (409). */
  replace(request: ApiRequest, object: unknown): Promise<unknown>;
  patch(request: ApiRequest, type: PatchType, patch: unknown): Promise<unknown>;
  delete(request: ApiRequest): Promise<unknown>;
  /**
   * Follows a watch (`watch=true` is added to the query) until the server ends it (resolves), `signal` aborts it (resolves) or
   * it breaks (rejects). Events arrive in order; `onOpen` comes before the first, once the server has taken the watch.
   */
  watch(request: ApiRequest, onEvent: (event: WatchEvent) => void, onOpen?: () => void): Promise<void>;
}

/** An answer of the API server that is not a success, or the lack of any answer. */
export class KubernetesApiError extends Error {
  /** The HTTP status; undefined when no answer came. */
  readonly status: number | undefined;
  /** The `reason` of the server's `Status`, such as `NotFound`, `AlreadyExists`, `Conflict`, `Expired`; `Unreachable` when no answer came. */
  readonly code: string;

  constructor(status: number | undefined, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "KubernetesApiError";
    this.status = status;
    this.code = code;
  }
}
