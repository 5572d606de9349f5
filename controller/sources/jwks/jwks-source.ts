import { parseJwks } from "../../../crds/core/jwks.ts";
import { fetchDocument, type FetchLimits, uriProblem } from "./fetch-document.ts";

/** What is known of the key set that an issuer publishes. `keys` is as {@link parseJwks} gives it. */
export type FetchedJwks =
  | {
      readonly uri: string;
      readonly state: "good";
      readonly keys: string;
      /** Keys of the set that were left out, and why. */
      readonly warnings?: readonly string[];
      /** Why the last attempt failed: `keys` are older then, of `lastGoodAt`. */
      readonly error?: string;
      /** Unix milliseconds; only beside `error`, so that an unchanged set is an equal value. */
      readonly lastGoodAt?: number;
    }
  /** `pending`: no attempt has ended yet. `failed`: none has ever succeeded. */
  | { readonly uri: string; readonly state: "pending" | "failed"; readonly error: string };

/** The part of a source collection that is written to. */
export interface JwksSink {
  set(uri: string, value: FetchedJwks): void;
  delete(uri: string): void;
  markSynced(): void;
}

/** Keeps the last good sets over a restart, when an issuer may be away. Neither call throws. */
export interface JwksStore {
  read(uri: string): { readonly keys: string; readonly goodAt: number } | undefined;
  write(uri: string, keys: string, goodAt: number): void;
}

/** The time, and being called later without keeping the process alive. */
export interface JwksClock {
  /** Unix milliseconds. */
  now(): number;
  /** Returns what cancels the call. */
  after(milliseconds: number, call: () => void): () => void;
}

export interface JwksSourceOptions extends Partial<FetchLimits> {
  readonly sink: JwksSink;
  readonly store?: JwksStore;
  readonly clock?: JwksClock;
  /** At least 0 and below 1, for jitter. */
  readonly random?: () => number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DEFAULT_LIMITS: FetchLimits = { timeout: 10 * SECOND, largest: 1024 * 1024 };
/** How long a set is good for: what its server says, within these. */
const REFRESH = { shortest: 30 * SECOND, usual: 5 * MINUTE, longest: 60 * MINUTE };
const RETRY = { first: SECOND, longest: MINUTE };
/** Keys that were withdrawn while the control plane was away must not come back from the store for longer than this. */
const OLDEST_STORED = 24 * 60 * MINUTE;

interface LastGood {
  readonly keys: string;
  readonly warnings: readonly string[];
  readonly goodAt: number;
}

interface Issuer {
  readonly uri: string;
  readonly abort: AbortController;
  lastGood: LastGood | undefined;
  failures: number;
  cancelNext: (() => void) | undefined;
  written: string;
}

/**
 * The key sets of token issuers (RFC 7517), fetched once for the whole mesh. A set that was good is kept until there is
 * another good one; one that never was is named as such, and nobody waits for it.
 */
export class JwksSource {
  readonly #options: JwksSourceOptions;
  readonly #limits: FetchLimits;
  readonly #clock: JwksClock;
  readonly #random: () => number;
  readonly #issuers = new Map<string, Issuer>();

  /** Synced from the start: an issuer that does not answer must not keep the mesh from starting. */
  constructor(options: JwksSourceOptions) {
    const { trustedCertificates, refuseAddress } = options;
    this.#options = options;
    this.#limits = {
      timeout: options.timeout ?? DEFAULT_LIMITS.timeout,
      largest: options.largest ?? DEFAULT_LIMITS.largest,
      trustedCertificates,
      refuseAddress,
    };
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    options.sink.markSynced();
  }

  /** Sets which URIs are fetched, each once however many policies name it. What is no longer among them is forgotten. */
  want(uris: ReadonlySet<string>): void {
    for (const [uri, issuer] of this.#issuers) if (!uris.has(uri)) this.#forget(issuer);
    for (const uri of uris) if (!this.#issuers.has(uri)) this.#begin(uri);
  }

  /** Stops fetching, and leaves in the sink what is there. */
  close(): void {
    for (const issuer of this.#issuers.values()) end(issuer);
    this.#issuers.clear();
  }

  #begin(uri: string): void {
    const issuer: Issuer = { uri, abort: new AbortController(), lastGood: undefined, failures: 0, cancelNext: undefined, written: "" };
    this.#issuers.set(uri, issuer);
    const problem = uriProblem(uri);
    if (problem !== undefined) {
      this.#write(issuer, { uri, state: "failed", error: problem });
      return;
    }
    issuer.lastGood = this.#stored(uri);
    this.#write(issuer, valueOf(issuer, issuer.lastGood === undefined ? "has not been fetched yet" : undefined, "pending"));
    void this.#fetch(issuer);
  }

  #forget(issuer: Issuer): void {
    end(issuer);
    this.#issuers.delete(issuer.uri);
    this.#options.sink.delete(issuer.uri);
  }

  async #fetch(issuer: Issuer): Promise<void> {
    const { uri, abort } = issuer;
    const fetched = await fetchDocument(uri, this.#limits, abort.signal);
    if (abort.signal.aborted) return;
    const parsed = fetched.kind === "fetched" ? parseJwks(fetched.text) : fetched;
    let wait: number;
    if ("error" in parsed) {
      this.#write(issuer, valueOf(issuer, parsed.error, "failed"));
      wait = Math.min(RETRY.first * 2 ** issuer.failures++, RETRY.longest) * (0.5 + this.#random() / 2);
    } else {
      issuer.failures = 0;
      issuer.lastGood = { ...parsed, goodAt: this.#clock.now() };
      this.#options.store?.write(uri, parsed.keys, issuer.lastGood.goodAt);
      this.#write(issuer, valueOf(issuer, undefined, "failed"));
      const maxAge = fetched.kind === "fetched" ? fetched.maxAge : undefined;
      const bounded = Math.min(Math.max(maxAge ?? REFRESH.usual, REFRESH.shortest), REFRESH.longest);
      // Earlier by up to a tenth, never later: so many issuers are not all asked at one moment.
      wait = bounded * (1 - this.#random() / 10);
    }
    issuer.cancelNext = this.#clock.after(wait, () => void this.#fetch(issuer));
  }

  #stored(uri: string): LastGood | undefined {
    const stored = this.#options.store?.read(uri);
    if (stored === undefined || this.#clock.now() - stored.goodAt > OLDEST_STORED) return undefined;
    const parsed = parseJwks(stored.keys);
    return "error" in parsed ? undefined : { ...parsed, goodAt: stored.goodAt };
  }

  /** Writes what differs from what was written last. */
  #write(issuer: Issuer, value: FetchedJwks): void {
    const text = JSON.stringify(value);
    if (text === issuer.written) return;
    issuer.written = text;
    this.#options.sink.set(issuer.uri, value);
  }
}

function valueOf({ uri, lastGood }: Issuer, error: string | undefined, otherwise: "pending" | "failed"): FetchedJwks {
  if (lastGood === undefined) return { uri, state: otherwise, error: error ?? "" };
  const { keys, warnings, goodAt } = lastGood;
  return {
    ...{ uri, state: "good", keys },
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(error === undefined ? {} : { error, lastGoodAt: goodAt }),
  };
}

function end(issuer: Issuer): void {
  issuer.cancelNext?.();
  issuer.abort.abort();
}

const systemClock: JwksClock = {
  now: () => Date.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};
