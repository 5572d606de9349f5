/**
 * The mesh's certificate authority where the control plane has replicas: its state is one Secret, and the optimistic
 * concurrency of the Kubernetes API decides who made it. Whatever a replica wants to change it changes in a copy, then
 * writes that copy over exactly what it had read; who lost begins again from what the winner wrote. So all replicas
 * have the same root and intermediate, and recognise each other's leaves.
 *
 * A running replica needs the Secret only to follow changes: when it is gone, broken or out of reach, what is in memory
 * goes on, and the leader puts back what is gone.
 */
import { CertificateAuthority } from "../../ca/authority.ts";
import { type Clock, MINUTE, SECOND, systemClock } from "../../ca/clock.ts";
import { LeafVersions } from "../../ca/leaf-version.ts";
import { type Randomness, systemRandomness } from "../../ca/randomness.ts";
import { Schedule } from "../../ca/schedule.ts";
import { StateError } from "../../ca/state-error.ts";
import { StateParts } from "../../ca/state-parts.ts";
import type { Log } from "../control-plane-options.ts";
import { type KubernetesApi, KubernetesApiError } from "../kubernetes/api.ts";
import { CA_SECRET, CaSecret, type StoredParts } from "./ca-secret.ts";
import type { Leadership } from "./leadership.ts";
import { NamedObjects } from "./named-objects.ts";
import { isOwn, storedObject } from "./stored-object.ts";
import { TRUST_CONFIG_MAP } from "./trust-config-map.ts";

/** How the Secret stands to what this replica has in memory. */
export type CaSecretState =
  | "in-use"
  /** It was deleted. The leader puts it back. */
  | "missing"
  /** It holds what cannot be used, or another mesh identity. Nobody overwrites it. */
  | "unusable";

export interface ClusterAuthorityOptions {
  readonly api: KubernetesApi;
  /** Where the Secret is: the control plane's own namespace. */
  readonly namespace: string;
  readonly trustDomain: string;
  readonly leadership: Leadership;
  readonly log: Log;
  /** Milliseconds; see AuthorityOptions. */
  readonly leafLifetime?: number;
  readonly intermediateLifetime?: number;
  readonly rootLifetime?: number;
  /** Told once at the start and after every change: for a metric, and for an alert. */
  readonly onSecretState?: (state: CaSecretState) => void;
  /** Milliseconds for which a start waits for a running leader to put a missing Secret back. Half a minute when absent. */
  readonly patience?: number;
  /** Ends a start that is still waiting for the API server. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
}

export interface ClusterAuthority {
  readonly authority: CertificateAuthority;
  /** The same in every replica: a sidecar that moves to another one is known there. */
  readonly versions: LeafVersions;
  readonly secretState: CaSecretState;
  close(): void;
}

const RETRY = { first: SECOND, longest: MINUTE };
const PATIENCE = 30 * SECOND;

/**
 * Reads the Secret, or makes it. Waits while the API server is out of reach. Rejects with a StateError when the Secret
 * cannot be used, and with a KubernetesApiError when the API server refuses to have it read or written.
 */
export async function openClusterAuthority(options: ClusterAuthorityOptions): Promise<ClusterAuthority> {
  const cluster = new SharedAuthority(options);
  await cluster.open();
  return cluster;
}

class SharedAuthority implements ClusterAuthority {
  readonly #options: ClusterAuthorityOptions;
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  readonly #secret: CaSecret;
  readonly #schedule: Schedule;
  #opened: { readonly authority: CertificateAuthority; readonly versions: LeafVersions } | undefined;
  #parts: ReadonlyMap<string, string> = new Map();
  #state: CaSecretState = "in-use";
  #objects: NamedObjects | undefined;
  #stopFollowingLeadership = (): void => undefined;
  #cancelNext = (): void => undefined;
  #upkeep: Promise<void> | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: ClusterAuthorityOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#randomness = options.randomness ?? systemRandomness;
    this.#secret = new CaSecret(options.api, options.namespace);
    this.#schedule = new Schedule(this.#clock, (failure) =>
      this.#log("error", `the certificate authority's upkeep failed: ${String(failure)}`),
    );
  }

  get authority(): CertificateAuthority {
    return this.#open.authority;
  }

  get versions(): LeafVersions {
    return this.#open.versions;
  }

  get secretState(): CaSecretState {
    return this.#state;
  }

  async open(): Promise<void> {
    const { parts } = await this.#patiently(() => this.#settle(() => this.#refuseOrphans()));
    const followed = new StateParts(this.#secret.place, parts).seal();
    this.#parts = parts;
    this.#opened = { authority: this.#authorityOf(followed, "followed"), versions: this.#versionsOf(followed) };
    this.#options.onSecretState?.(this.#state);
    const { api, namespace, leadership } = this.#options;
    this.#objects = new NamedObjects({
      ...{ api, path: this.#secret.collection, name: CA_SECRET, clock: this.#clock, randomness: this.#randomness },
      onSynced: () => this.#look(),
      onChange: () => this.#look(),
      onFailure: (failure) =>
        this.#log("warn", `the Secret ${namespace}/${CA_SECRET} cannot be followed for now; what is in memory goes on: ${String(failure)}`),
    });
    this.#stopFollowingLeadership = leadership.onChange(() => this.#planUpkeep());
    this.#planUpkeep();
  }

  close(): void {
    this.#closed = true;
    this.#cancelNext();
    this.#stopFollowingLeadership();
    this.#objects?.close();
  }

  get #open(): { readonly authority: CertificateAuthority; readonly versions: LeafVersions } {
    if (this.#opened === undefined) throw new Error("the authority is not open yet");
    return this.#opened;
  }

  /** Looks at the Secret as the API server has it now. */
  #look(): void {
    if (this.#closed) return;
    const object = this.#objects?.get(this.#options.namespace);
    if (object === undefined) {
      this.#enter(
        "missing",
        `the Secret ${this.#options.namespace}/${CA_SECRET} is gone. This control plane goes on with what it has in memory, and the leader puts it back`,
      );
      this.#planUpkeep();
      return;
    }
    try {
      this.#take(this.#secret.parse(object));
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      this.#enter("unusable", `This control plane goes on with what it has in memory, but would not start again: ${error.message}`);
    }
  }

  /** Goes on with what the Secret holds. Throws a StateError, and changes nothing, when that cannot be. */
  #take({ parts }: StoredParts): void {
    if (!sameParts(parts, this.#parts)) {
      this.authority.follow(new StateParts(this.#secret.place, parts).seal());
      this.#parts = parts;
      this.#log("info", `took over the certificate authority's new state from the Secret ${this.#options.namespace}/${CA_SECRET}`);
      this.#planUpkeep();
    }
    this.#enter("in-use", `the Secret ${this.#options.namespace}/${CA_SECRET} is in order again`);
  }

  #enter(state: CaSecretState, message: string): void {
    if (this.#state === state && state !== "unusable") return;
    const changed = this.#state !== state;
    this.#state = state;
    this.#log(state === "in-use" ? "info" : "error", message);
    if (changed) this.#options.onSecretState?.(state);
  }

  /** When this replica leads: puts a missing Secret back now, renews the intermediate in time. */
  #planUpkeep(): void {
    this.#cancelNext();
    this.#cancelNext = (): void => undefined;
    if (this.#closed || !this.#options.leadership.leading || this.#upkeep !== undefined) return;
    const due = this.#state === "missing" ? this.#clock.now() : this.authority.renewalDue;
    if (due === Infinity) return;
    const retry = this.#failures === 0 ? 0 : Math.min(RETRY.first * 2 ** (this.#failures - 1), RETRY.longest);
    this.#cancelNext = this.#schedule.at(Math.max(due, this.#clock.now() + retry), () => {
      this.#upkeep = this.#keepUp().finally(() => {
        this.#upkeep = undefined;
        this.#planUpkeep();
      });
    });
  }

  async #keepUp(): Promise<void> {
    try {
      this.#take(await this.#settle(() => Promise.resolve(this.#parts)));
      this.#failures = 0;
    } catch (failure) {
      this.#failures++;
      this.#log("error", `the Secret ${this.#options.namespace}/${CA_SECRET} could not be brought up to date: ${messageOf(failure)}`);
    }
  }

  /** Reads the Secret and completes what is missing or due in it, until it stands written. `whenMissing` says what a new one begins with. */
  async #settle(whenMissing: () => Promise<ReadonlyMap<string, string>>): Promise<StoredParts> {
    for (;;) {
      const stored = await this.#secret.read();
      // Nothing is written over a Secret that this replica could not go on with.
      if (stored !== undefined && this.#opened !== undefined) this.#take(stored);
      const scratch = new StateParts(this.#secret.place, stored?.parts ?? (await whenMissing()));
      this.#authorityOf(scratch, "self");
      this.#versionsOf(scratch);
      if (stored !== undefined && !scratch.changed) return stored;
      const written = await this.#secret.write(scratch.parts, stored);
      if (written !== undefined) return written;
    }
  }

  /** A new identity is made only where none is in use: sidecars that trust another one would lose their control plane. */
  async #refuseOrphans(): Promise<ReadonlyMap<string, string>> {
    const { api, namespace, patience = PATIENCE } = this.#options;
    const end = this.#clock.now() + patience;
    const path = `/api/v1/namespaces/${namespace}/configmaps/${TRUST_CONFIG_MAP}`;
    for (let first = true; ; first = false) {
      const trust = storedObject(await api.get({ path }).catch(undefinedWhenNotFound));
      if (trust === undefined || !isOwn(trust)) return new Map();
      if (first) this.#log("warn", `the Secret ${namespace}/${CA_SECRET} is missing; waiting for a running control plane to put it back`);
      if (this.#clock.now() >= end) {
        const { path: place, remedies } = this.#secret.place;
        throw new StateError(
          "StateMissing",
          place,
          `is missing, while the ConfigMap ${namespace}/${TRUST_CONFIG_MAP} shows that sidecars trust what it held`,
          `${remedies.restore}, or ${remedies.startOver}`,
        );
      }
      await this.#pause(SECOND);
      const back = await this.#secret.read();
      if (back !== undefined) return back.parts;
    }
  }

  /** Tries until the API server answers. */
  async #patiently<Result>(act: () => Promise<Result>): Promise<Result> {
    for (let failures = 0; ; failures++) {
      try {
        return await act();
      } catch (failure) {
        if (!isPassing(failure) || this.#options.signal?.aborted === true) throw failure;
        this.#log("warn", `the certificate authority waits for the API server: ${messageOf(failure)}`);
        await this.#pause(Math.min(RETRY.first * 2 ** failures, RETRY.longest / 6));
      }
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(milliseconds, resolve);
      const end = (): void => {
        cancel();
        resolve();
      };
      this.#options.signal?.addEventListener("abort", end, { once: true });
    });
  }

  #authorityOf(store: StateParts, renewal: "self" | "followed"): CertificateAuthority {
    const { trustDomain, leafLifetime, intermediateLifetime, rootLifetime } = this.#options;
    return new CertificateAuthority({
      ...{ store, trustDomain, renewal, clock: this.#clock, randomness: this.#randomness },
      ...(leafLifetime === undefined ? {} : { leafLifetime }),
      ...(intermediateLifetime === undefined ? {} : { intermediateLifetime }),
      ...(rootLifetime === undefined ? {} : { rootLifetime }),
      onRenewalFailure: (failure) => this.#log("error", `the intermediate certificate could not be renewed: ${messageOf(failure)}`),
    });
  }

  #versionsOf(store: StateParts): LeafVersions {
    return LeafVersions.open(store, (count) => this.#randomness.bytes(count));
  }

  #log(...[level, message]: Parameters<Log>): void {
    this.#options.log(level, message);
  }
}

function sameParts(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([name, content]) => other.get(name) === content);
}

/** Whether the API server may well answer otherwise in a while. */
function isPassing(failure: unknown): boolean {
  if (!(failure instanceof KubernetesApiError)) return false;
  const { status } = failure;
  return status === undefined || status === 429 || status >= 500;
}

function undefinedWhenNotFound(failure: unknown): undefined {
  if (failure instanceof KubernetesApiError && failure.status === 404) return undefined;
  throw failure;
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
