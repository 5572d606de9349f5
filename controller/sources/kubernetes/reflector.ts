/**
 * Follows all objects of one kind: a list, and from there a watch that goes on where it was cut. What was learned stands until
 * something newer is known, however long the server is away.
 *
 * - A watch that ends or breaks is begun again at the last resource version that was seen; bookmarks keep that young.
 * - When the server has forgotten that version (410), or nothing at all came for too long, everything is listed again, and the
 *   target is given the whole, to find the differences.
 * - Every failure is followed by a wait, which grows until events flow again.
 * - A kind that the server does not have is empty, and asked for again from time to time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type KubernetesApi, KubernetesApiError, type WatchEvent } from "../../kubernetes/api.ts";
import type { KnownKind } from "../known-kind.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import type { KubernetesObserver, Interruption } from "./observer.ts";
import { resourcePath } from "./resource-path.ts";
import { isServed } from "./served.ts";

/** Where what is learned goes. */
export interface ReflectionTarget<T> {
  /** Reads an object as the server sent it. */
  read(raw: unknown): T;
  /** These are all that there are. */
  replace(objects: readonly T[]): void;
  put(object: T): void;
  remove(object: T): void;
}

/** What a reflector is doing. */
export type ReflectorState =
  /** Nothing is known yet. */
  | { readonly state: "Starting" }
  | { readonly state: "Watching" }
  /** The kind is not installed. */
  | { readonly state: "Absent" }
  /** What was known before still stands. */
  | { readonly state: "Failing"; readonly message: string };

export interface WatchTiming {
  /** Objects in one answer to a list. */
  readonly pageSize: number;
  /** The server is asked to end a watch after so many seconds, or up to twice as many. */
  readonly watchSeconds: number;
  /** A server sends a bookmark about every minute: after so many milliseconds without one a connection is taken for dead. */
  readonly stallMs: number;
  /** Milliseconds between two looks for a kind that is not installed. */
  readonly absentMs: number;
  readonly backoff: BackoffOptions;
}

export const DEFAULT_TIMING: WatchTiming = {
  pageSize: 500,
  watchSeconds: 300,
  stallMs: 150_000,
  absentMs: 15_000,
  backoff: { firstMs: 200, mostMs: 15_000 },
};

export interface ReflectorOptions<T> {
  readonly api: KubernetesApi;
  readonly known: KnownKind;
  readonly fieldSelector?: string;
  readonly target: ReflectionTarget<T>;
  readonly timing: WatchTiming;
  readonly random: () => number;
  readonly observer: KubernetesObserver;
  /** Told of every state that is entered, also of the one that stood before. */
  readonly onState: (state: ReflectorState) => void;
}

interface Page {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly unknown[];
}

export class Reflector<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #path: string;
  readonly #selection: Readonly<Record<string, string>>;
  readonly #closing = new AbortController();
  readonly #backoff: Backoff;
  /** What the watch goes on from; undefined when everything must be listed. */
  #resourceVersion: string | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#path = resourcePath(options.known);
    this.#selection = options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector };
    this.#backoff = new Backoff(options.timing.backoff, options.random);
  }

  /** Goes on until it is closed; never rejects. */
  async run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const wait = await this.#follow().catch((error: unknown) => this.#recover(error));
      if (wait > 0) await this.#sleep(wait);
    }
  }

  close(): void {
    this.#closing.abort();
  }

  /** One list if need be, and one watch. Gives the milliseconds to wait before the next. */
  async #follow(): Promise<number> {
    if (this.#resourceVersion === undefined) await this.#list();
    const watch = await this.#watch();
    if (this.#closing.signal.aborted) return 0;
    this.#options.observer.onInterruption(this.#options.known.kind, watch.end);
    if (watch.end === "Stalled") this.#resourceVersion = undefined;
    // One that gave nothing will do so again.
    return watch.events > 0 ? 0 : this.#backoff.next();
  }

  async #list(): Promise<void> {
    const { target, known, observer, timing } = this.#options;
    let pages: Listed<T>;
    try {
      pages = await this.#pages(String(timing.pageSize));
    } catch (error) {
      if (!isExpired(error)) throw error;
      // It took too long to go from page to page.
      pages = await this.#pages(undefined);
    }
    if (this.#closing.signal.aborted) return;
    target.replace(pages.objects);
    this.#resourceVersion = pages.resourceVersion;
    observer.onList(known.kind, pages.objects.length);
  }

  /** Without a resource version a list is what the server's storage has now, and all pages are of one moment. */
  async #pages(limit: string | undefined): Promise<Listed<T>> {
    const { api, target } = this.#options;
    const objects: T[] = [];
    let next: string | undefined;
    for (;;) {
      const query = {
        ...this.#selection,
        ...(limit === undefined ? {} : { limit }),
        ...(next === undefined ? {} : { continue: next }),
      };
      const { items, metadata } = (await api.get({ path: this.#path, query, signal: this.#closing.signal })) as Page;
      if (items === undefined || metadata?.resourceVersion === undefined) {
        throw new KubernetesApiError(200, "Malformed", `the answer to ${this.#path} is no list`);
      }
      for (const item of items) objects.push(target.read(item));
      next = metadata.continue;
      if (next === undefined || next === "") return { objects, resourceVersion: metadata.resourceVersion };
    }
  }

  async #watch(): Promise<{ readonly end: Interruption; readonly events: number }> {
    const { api, onState, timing, random } = this.#options;
    const stalled = new AbortController();
    const timer = setTimeout(() => stalled.abort(), timing.stallMs);
    let events = 0;
    try {
      await api.watch(
        {
          path: this.#path,
          query: {
            ...this.#selection,
            resourceVersion: this.#resourceVersion ?? "",
            allowWatchBookmarks: "true",
            timeoutSeconds: String(Math.round(timing.watchSeconds * (1 + random()))),
          },
          signal: AbortSignal.any([this.#closing.signal, stalled.signal]),
        },
        (event) => {
          timer.refresh();
          this.#apply(event);
          events++;
          this.#backoff.reset();
        },
        () => onState({ state: "Watching" }),
      );
      return { end: stalled.signal.aborted ? "Stalled" : "TimedOut", events };
    } finally {
      clearTimeout(timer);
    }
  }

  #apply({ type, object }: WatchEvent): void {
    const { target, known, observer } = this.#options;
    observer.onEvent(known.kind, type);
    if (type === "ERROR") throw asApiError(object);
    const resourceVersion = resourceVersionOf(object);
    switch (type) {
      case "ADDED":
      case "MODIFIED":
        target.put(target.read(object));
        break;
      case "DELETED":
        target.remove(target.read(object));
        break;
      case "BOOKMARK":
        break;
    }
    this.#resourceVersion = resourceVersion;
  }

  async #recover(error: unknown): Promise<number> {
    const { known, observer, onState, target, timing, random } = this.#options;
    if (this.#closing.signal.aborted) return 0;
    if (isExpired(error)) {
      observer.onInterruption(known.kind, "Expired");
      this.#resourceVersion = undefined;
      return this.#backoff.next();
    }
    if (error instanceof KubernetesApiError && error.status === 404 && (await this.#isAbsent())) {
      observer.onInterruption(known.kind, "Absent");
      target.replace([]);
      this.#resourceVersion = undefined;
      onState({ state: "Absent" });
      return timing.absentMs * (0.5 + random() / 2);
    }
    observer.onInterruption(known.kind, "Failed");
    onState({ state: "Failing", message: error instanceof Error ? error.message : String(error) });
    return this.#backoff.next();
  }

  async #isAbsent(): Promise<boolean> {
    const { api, known } = this.#options;
    return !(await isServed(api, known, this.#closing.signal).catch(() => true));
  }

  async #sleep(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }
}

interface Listed<T> {
  readonly objects: readonly T[];
  readonly resourceVersion: string;
}

function isExpired(error: unknown): boolean {
  return error instanceof KubernetesApiError && (error.status === 410 || error.code === "Expired" || error.code === "Gone");
}

/** The `Status` of an ERROR event. */
function asApiError(status: unknown): KubernetesApiError {
  const { code, reason, message } = (status ?? {}) as Readonly<Record<string, unknown>>;
  return new KubernetesApiError(
    typeof code === "number" ? code : undefined,
    typeof reason === "string" ? reason : "Unknown",
    typeof message === "string" ? message : "the server ended the watch with an error",
  );
}

function resourceVersionOf(object: unknown): string {
  const { metadata } = (object ?? {}) as { readonly metadata?: { readonly resourceVersion?: unknown } };
  const version = metadata?.resourceVersion;
  if (typeof version === "string" && version !== "") return version;
  throw new KubernetesApiError(200, "Malformed", "an event of the watch has no resource version");
}
