/**
 * Writes the status of objects, each in its newest form and only when it differs from what the object has: several at once,
 * not too many in a second, later when the API server cannot. Only the leader writes, so it knows what objects have: from one
 * list of each kind at the beginning, and from what it wrote since.
 */
import { type ApiRequest, type KubernetesApi, KubernetesApiError } from "../kubernetes/api.ts";
import { differs, type Status } from "./object-status.ts";
import type { ReportClock } from "./report-clock.ts";

/** An object, and what its status is to say. */
export interface WantedStatus {
  /** Of the object, without `/status`. */
  readonly path: string;
  /** Undefined where a source gives none. An object that was made anew under the name is not touched. */
  readonly uid: string | undefined;
  /** Others write into the same status: it is read anew before it is written. */
  readonly shared: boolean;
  /** What the status shall be, given what it is. Pure. */
  readonly render: (before: Status | undefined, now: number) => Status;
}

export interface StatusWriterOptions {
  readonly api: KubernetesApi;
  /** Asked before each write. */
  readonly mayWrite: () => boolean;
  readonly clock: ReportClock;
  readonly log: (message: string) => void;
  /** Writes in a second, on average. Default 50. */
  readonly perSecond?: number;
  /** Told of each write, for metrics; `outcome` is `written`, `gone` or `failed`. */
  readonly onWrite?: (outcome: "written" | "gone" | "failed") => void;
}

const AT_ONCE = 4;
const PAGE = 500;
const BACKOFF = { first: 500, longest: 30_000 } as const;

interface Known {
  readonly uid: string | undefined;
  readonly status: Status | undefined;
}

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #spacing: number;
  readonly #wanted = new Map<string, WantedStatus>();
  readonly #known = new Map<string, Known>();
  readonly #queue = new Set<string>();
  readonly #writing = new Set<string>();
  readonly #closing = new AbortController();
  readonly #failures = new Map<string, number>();
  readonly #complaints = new Map<string, string>();
  readonly #timers = new Set<() => void>();
  #ready = false;
  /** Unix milliseconds before which no write begins. */
  #notBefore = 0;
  #wakes = false;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#spacing = 1000 / (options.perSecond ?? 50);
  }

  /**
   * Reads what the objects of these kinds (`apiVersion/plural`) have, by `keyOf` of each; writing begins when that is done.
   * A kind that the server does not have has no objects.
   */
  async begin(kinds: readonly StatusKind[], keyOf: (kind: string, namespace: string | undefined, name: string) => string): Promise<void> {
    for (const kind of kinds) {
      for (let attempt = 0; ; attempt++) {
        try {
          await this.#list(kind, keyOf);
          break;
        } catch (error) {
          if (this.#closing.signal.aborted) return;
          if (error instanceof KubernetesApiError && error.status === 404) break;
          if (attempt === 0) this.#options.log(`the status of ${kind.plural} could not be read: ${messageOf(error)}`);
          await this.#pause(Math.min(BACKOFF.first * 2 ** attempt, BACKOFF.longest));
        }
      }
    }
    this.#ready = true;
    this.#wake();
  }

  /** What the object has, as far as is known; undefined before the beginning. */
  statusOf(key: string): Status | undefined {
    return this.#known.get(key)?.status;
  }

  /** From now on the object is to have this status. */
  want(key: string, wanted: WantedStatus): void {
    this.#wanted.set(key, wanted);
    this.#failures.delete(key);
    this.#queue.add(key);
    this.#wake();
  }

  /** The object is gone. */
  forget(key: string): void {
    this.#wanted.delete(key);
    this.#known.delete(key);
    this.#queue.delete(key);
    this.#failures.delete(key);
    this.#complaints.delete(key);
  }

  close(): void {
    this.#closing.abort();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#queue.clear();
  }

  async #list(kind: StatusKind, keyOf: (kind: string, namespace: string | undefined, name: string) => string): Promise<void> {
    let position: string | undefined;
    do {
      const query = { limit: String(PAGE), ...(position === undefined ? {} : { continue: position }) };
      const path = `/apis/${kind.apiVersion}/${kind.plural}`;
      const list = (await this.#options.api.get({ path, query, signal: this.#closing.signal })) as ListedObjects;
      for (const { metadata, status } of list.items ?? []) {
        this.#known.set(keyOf(kind.kind, metadata.namespace, metadata.name), { uid: metadata.uid, status });
      }
      position = list.metadata?.continue === "" ? undefined : list.metadata?.continue;
    } while (position !== undefined);
  }

  #wake(): void {
    if (!this.#ready || this.#wakes || this.#closing.signal.aborted) return;
    this.#wakes = true;
    const delay = Math.max(this.#notBefore - this.#options.clock.now(), 0);
    const cancel = this.#options.clock.after(Math.min(delay, BACKOFF.longest), () => {
      this.#timers.delete(cancel);
      this.#wakes = false;
      this.#writeNext();
    });
    this.#timers.add(cancel);
  }

  #writeNext(): void {
    const { clock, mayWrite } = this.#options;
    for (const key of this.#queue) {
      if (this.#writing.size >= AT_ONCE) return;
      if (this.#writing.has(key)) continue;
      const wanted = this.#wanted.get(key);
      if (wanted === undefined || !this.#isNews(key, wanted)) {
        this.#queue.delete(key);
        continue;
      }
      if (!mayWrite()) return;
      this.#queue.delete(key);
      this.#writing.add(key);
      this.#notBefore = Math.max(this.#notBefore, clock.now()) + this.#spacing;
      void this.#write(key, wanted).finally(() => {
        this.#writing.delete(key);
        if (this.#queue.size > 0) this.#wake();
      });
      if (this.#queue.size > 0) this.#wake();
      return;
    }
  }

  #isNews(key: string, wanted: WantedStatus): boolean {
    const before = this.#statusFor(key, wanted);
    return differs(before, wanted.render(before, this.#options.clock.now()));
  }

  /** Of the object that is meant, not of an earlier one of its name. */
  #statusFor(key: string, { uid }: WantedStatus): Status | undefined {
    const known = this.#known.get(key);
    return known === undefined || (uid !== undefined && known.uid !== uid) ? undefined : known.status;
  }

  async #write(key: string, wanted: WantedStatus): Promise<void> {
    const { api, clock, onWrite } = this.#options;
    try {
      let before = this.#statusFor(key, wanted);
      let { uid } = wanted;
      let resourceVersion: string | undefined;
      if (wanted.shared) {
        const object = await this.#read(wanted.path);
        if (object === undefined || (uid !== undefined && object.metadata.uid !== uid)) return;
        ({ uid, resourceVersion } = object.metadata);
        before = object.status;
      }
      const status = wanted.render(before, clock.now());
      if (differs(before, status)) {
        const metadata = { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
        await api.patch(this.#request(`${wanted.path}/status`), "application/merge-patch+json", { metadata, status });
        onWrite?.("written");
      }
      this.#known.set(key, { uid, status: { ...before, ...status } });
      this.#failures.delete(key);
      this.#complaints.delete(key);
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#failed(key, wanted, error);
    }
  }

  /** By a list of one, which takes no other permission than those of the beginning. */
  async #read(path: string): Promise<ListedObject | undefined> {
    const end = path.lastIndexOf("/");
    const query = { fieldSelector: `metadata.name=${path.slice(end + 1)}` };
    const list = (await this.#options.api.get({ ...this.#request(path.slice(0, end)), query })) as ListedObjects;
    return list.items?.[0];
  }

  #failed(key: string, wanted: WantedStatus, error: unknown): void {
    const status = error instanceof KubernetesApiError ? error.status : undefined;
    if (status === 404 || (status === 409 && !wanted.shared)) {
      // The object went away, or another has its name: the source will say so, or has already.
      this.#options.onWrite?.("gone");
      if (this.#wanted.get(key) === wanted) this.#known.delete(key);
      return;
    }
    this.#options.onWrite?.("failed");
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delay = Math.min(BACKOFF.first * 2 ** failures, BACKOFF.longest);
    const message = messageOf(error);
    if (status !== 409 && this.#complaints.get(key) !== message) {
      this.#complaints.set(key, message);
      this.#options.log(`the status of ${key} could not be written: ${message}`);
    }
    // Who cannot be reached, or asks for time, is left alone by all.
    if (status === undefined || status === 429 || status >= 500) this.#notBefore = this.#options.clock.now() + delay;
    void this.#pause(delay).then(() => {
      if (!this.#wanted.has(key)) return;
      this.#queue.add(key);
      this.#wake();
    });
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(milliseconds, () => {
        this.#timers.delete(cancel);
        resolve();
      });
      this.#timers.add(cancel);
    });
  }

  #request(path: string): ApiRequest {
    return { path, signal: this.#closing.signal };
  }
}

export interface StatusKind {
  readonly kind: string;
  readonly apiVersion: string;
  readonly plural: string;
}

interface ListedObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
  readonly status?: Status;
}

interface ListedObjects {
  readonly metadata?: { readonly continue?: string };
  readonly items?: readonly ListedObject[];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
