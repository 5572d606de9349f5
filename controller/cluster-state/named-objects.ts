import type { Clock } from "../../ca/clock.ts";
import { SECOND } from "../../ca/clock.ts";
import type { Randomness } from "../../ca/randomness.ts";
import { type KubernetesApi, KubernetesApiError, type WatchEvent } from "../kubernetes/api.ts";
import { isRecord, type StoredObject, storedObject } from "./stored-object.ts";

export interface NamedObjectsOptions {
  readonly api: KubernetesApi;
  /** The path of a kind, in one namespace or in all: `/api/v1/configmaps`. */
  readonly path: string;
  /** The one name that is followed: a role can grant a name, and nothing else of the kind is asked for. */
  readonly name: string;
  /** Called after the first complete list. */
  readonly onSynced: () => void;
  /** Called after something may have changed in a namespace, from the first list on. */
  readonly onChange: (namespace: string) => void;
  /** What cannot be followed for now. What was seen last stays, and another try follows. */
  readonly onFailure: (failure: unknown) => void;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

const RETRY = { first: SECOND / 2, longest: 30 * SECOND };
const WATCH_SECONDS = 290;
/** How much later than promised a watch may end before its connection counts as dead. */
const WATCH_GRACE = 30 * SECOND;

/** Follows the objects of one name, by namespace: lists them, watches from there, and lists again when the watch is lost. */
export class NamedObjects {
  readonly #options: NamedObjectsOptions;
  readonly #objects = new Map<string, StoredObject>();
  readonly #closed = new AbortController();
  #synced = false;

  constructor(options: NamedObjectsOptions) {
    this.#options = options;
    void this.#follow();
  }

  /** Whether every object has been seen at least once. */
  get synced(): boolean {
    return this.#synced;
  }

  get(namespace: string): StoredObject | undefined {
    return this.#objects.get(namespace);
  }

  /** The namespaces that have one. */
  namespaces(): readonly string[] {
    return [...this.#objects.keys()];
  }

  close(): void {
    this.#closed.abort();
  }

  async #follow(): Promise<void> {
    for (let failures = 0; !this.#isClosed(); failures++) {
      try {
        let version = await this.#list();
        failures = 0;
        for (;;) {
          version = await this.#watch(version);
          if (this.#isClosed()) return;
          await this.#pause(RETRY.first);
        }
      } catch (failure) {
        if (this.#isClosed()) return;
        // A watch from long ago is the API server's way of asking for a new list.
        if (!isExpired(failure)) this.#options.onFailure(failure);
        await this.#pause(Math.min(RETRY.first * 2 ** failures, RETRY.longest));
      }
    }
  }

  #isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  async #list(): Promise<string> {
    const { api, path, onSynced, onChange } = this.#options;
    const answer = await api.get({ path, query: this.#query(), signal: this.#closed.signal });
    if (!isRecord(answer) || !Array.isArray(answer["items"]) || !isRecord(answer["metadata"])) throw malformed(path);
    const version = answer["metadata"]["resourceVersion"];
    if (typeof version !== "string") throw malformed(path);
    const found = new Map<string, StoredObject>();
    for (const item of answer["items"]) {
      const object = storedObject(item);
      if (object === undefined) throw malformed(path);
      found.set(object.metadata.namespace, object);
    }
    const touched = [...new Set([...this.#objects.keys(), ...found.keys()])].filter(
      (namespace) => versionOf(this.#objects.get(namespace)) !== versionOf(found.get(namespace)),
    );
    this.#objects.clear();
    for (const [namespace, object] of found) this.#objects.set(namespace, object);
    if (!this.#synced) {
      this.#synced = true;
      onSynced();
    }
    for (const namespace of touched) onChange(namespace);
    return version;
  }

  /** Follows one watch until it ends, and gives the version to go on from. */
  async #watch(from: string): Promise<string> {
    const { api, path, clock } = this.#options;
    const stop = new AbortController();
    const cancel = clock.after(WATCH_SECONDS * SECOND + WATCH_GRACE, () => stop.abort());
    let version = from;
    let failure: KubernetesApiError | undefined;
    const query = { ...this.#query(), resourceVersion: from, allowWatchBookmarks: "true", timeoutSeconds: String(WATCH_SECONDS) };
    try {
      await api.watch({ path, query, signal: AbortSignal.any([this.#closed.signal, stop.signal]) }, (event) => {
        failure ??= failureOf(event);
        if (failure !== undefined) stop.abort();
        else version = this.#take(event) ?? version;
      });
    } finally {
      cancel();
    }
    if (failure !== undefined) throw failure;
    return version;
  }

  #take({ type, object: sent }: WatchEvent): string | undefined {
    if (type === "BOOKMARK") {
      const version = isRecord(sent) && isRecord(sent["metadata"]) ? sent["metadata"]["resourceVersion"] : undefined;
      return typeof version === "string" ? version : undefined;
    }
    const object = storedObject(sent);
    if (object === undefined) throw malformed(this.#options.path);
    const { namespace, resourceVersion } = object.metadata;
    if (type === "DELETED") this.#objects.delete(namespace);
    else this.#objects.set(namespace, object);
    this.#options.onChange(namespace);
    return resourceVersion;
  }

  #query(): Readonly<Record<string, string>> {
    return { fieldSelector: `metadata.name=${this.#options.name}` };
  }

  /** Half to all of this many milliseconds. */
  #pause(milliseconds: number): Promise<void> {
    const { clock, randomness } = this.#options;
    return new Promise((resolve) => {
      const cancel = clock.after(milliseconds * (0.5 + randomness.fraction() / 2), () => {
        this.#closed.signal.removeEventListener("abort", end);
        resolve();
      });
      const end = (): void => {
        cancel();
        resolve();
      };
      this.#closed.signal.addEventListener("abort", end, { once: true });
    });
  }
}

function versionOf(object: StoredObject | undefined): string | undefined {
  return object?.metadata.resourceVersion;
}

function isExpired(failure: unknown): boolean {
  return failure instanceof KubernetesApiError && (failure.status === 410 || failure.code === "Expired");
}

function failureOf({ type, object }: WatchEvent): KubernetesApiError | undefined {
  if (type !== "ERROR") return undefined;
  const status = isRecord(object) ? object : {};
  const { code, reason, message } = status;
  return new KubernetesApiError(
    typeof code === "number" ? code : undefined,
    typeof reason === "string" ? reason : "Unknown",
    typeof message === "string" ? message : "the watch failed",
  );
}

function malformed(path: string): KubernetesApiError {
  return new KubernetesApiError(200, "Malformed", `${path} does not answer as the Kubernetes API does`);
}
