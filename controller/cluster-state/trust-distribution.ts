import type { CertificateAuthority } from "../../ca/authority.ts";
import { type Clock, MINUTE, SECOND, systemClock } from "../../ca/clock.ts";
import { type Randomness, systemRandomness } from "../../ca/randomness.ts";
import type { Collection } from "../collections/collection.ts";
import type { Log } from "../control-plane-options.ts";
import { type KubernetesApi, KubernetesApiError } from "../kubernetes/api.ts";
import type { Leadership } from "./leadership.ts";
import { NamedObjects } from "./named-objects.ts";
import { isOwn, type StoredObject } from "./stored-object.ts";
import { holdsTrust, TRUST_CONFIG_MAP, trustConfigMap, trustData } from "./trust-config-map.ts";

export interface TrustDistributionOptions {
  readonly api: KubernetesApi;
  /** The control plane's own, which always gets the ConfigMap. */
  readonly namespace: string;
  /** Labels by namespace. */
  readonly namespaceLabels: Collection<string, Readonly<Record<string, string>>>;
  readonly authority: CertificateAuthority;
  readonly leadership: Leadership;
  readonly log: Log;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
  /** Told of every change: in how many namespaces the ConfigMap is somebody else's, so that their sidecars cannot know the control plane. */
  readonly onForeign?: (namespaces: number) => void;
}

const INJECTION = { label: "seawall.dev/injection", value: "enabled" };
const RETRY = { first: SECOND, longest: MINUTE };
/** For how long a replica that does not lead leaves it to the leader to make what is missing. */
const DEFERENCE = 2 * SECOND;

interface Attempt {
  readonly failures: number;
  readonly cancel: () => void;
}

/**
 * Keeps the trust bundle where injected pods mount it: as ConfigMap `seawall-trust` in every namespace whose pods are
 * injected, and in the control plane's own, one namespace after the other. Only the leader changes and removes; the others
 * make what stays missing, for there may be no leader for a while, and pods do not start without. A ConfigMap of that
 * name that somebody else made stays as it is and is reported: the pods of its namespace then do not start.
 */
export class TrustDistribution {
  readonly #options: TrustDistributionOptions;
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  readonly #objects: NamedObjects;
  readonly #stop: (() => void)[];
  /** Namespaces that are to be looked at, in the order in which something happened there. */
  readonly #waiting = new Set<string>();
  readonly #retries = new Map<string, Attempt>();
  /** Namespaces in which another replica has yet to make the ConfigMap, and what ends the wait; undefined once it is over. */
  readonly #missing = new Map<string, (() => void) | undefined>();
  readonly #foreign = new Set<string>();
  #working = false;
  #closed = false;

  constructor(options: TrustDistributionOptions) {
    const { api, namespaceLabels, authority, leadership, log } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#randomness = options.randomness ?? systemRandomness;
    this.#objects = new NamedObjects({
      ...{ api, path: "/api/v1/configmaps", name: TRUST_CONFIG_MAP, clock: this.#clock, randomness: this.#randomness },
      onSynced: () => this.#lookEverywhere(),
      onChange: (namespace) => this.#look(namespace),
      onFailure: (failure) => log("warn", `the ConfigMaps ${TRUST_CONFIG_MAP} cannot be followed for now: ${messageOf(failure)}`),
    });
    this.#stop = [
      namespaceLabels.onChange((changes) => {
        for (const namespace of changes.keys()) this.#look(namespace);
      }),
      authority.onChange(() => this.#lookEverywhere()),
      leadership.onChange(() => this.#lookEverywhere()),
    ];
  }

  /** Whether every ConfigMap of that name has been seen. */
  get synced(): boolean {
    return this.#objects.synced;
  }

  close(): void {
    this.#closed = true;
    this.#objects.close();
    for (const stop of this.#stop) stop();
    for (const { cancel } of this.#retries.values()) cancel();
    for (const cancel of this.#missing.values()) cancel?.();
    this.#waiting.clear();
  }

  #lookEverywhere(): void {
    const { namespace, namespaceLabels } = this.#options;
    for (const known of new Set([namespace, ...namespaceLabels.keys(), ...this.#objects.namespaces()])) this.#look(known);
  }

  #look(namespace: string): void {
    if (this.#closed) return;
    this.#waiting.add(namespace);
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (const namespace of this.#waiting) {
      this.#waiting.delete(namespace);
      await this.#keep(namespace);
    }
    this.#working = false;
  }

  async #keep(namespace: string): Promise<void> {
    // Without the labels, every namespace would seem to have lost them.
    if (!this.#options.namespaceLabels.synced || !this.#objects.synced) return;
    const found = this.#objects.get(namespace);
    const wanted = this.#isWanted(namespace);
    this.#report(namespace, wanted && found !== undefined && !isOwn(found));
    if (!this.#isOurs(namespace, wanted && found === undefined)) return;
    const failures = this.#retries.get(namespace)?.failures ?? 0;
    this.#retries.get(namespace)?.cancel();
    this.#retries.delete(namespace);
    try {
      await this.#bringAbout(namespace, wanted, found);
    } catch (failure) {
      if (this.#isClosed() || isOvertaken(failure)) return;
      this.#options.log("warn", `the ConfigMap ${namespace}/${TRUST_CONFIG_MAP} could not be brought up to date: ${messageOf(failure)}`);
      const wait = Math.min(RETRY.first * 2 ** failures, RETRY.longest) * (0.5 + this.#randomness.fraction() / 2);
      this.#retries.set(namespace, { failures: failures + 1, cancel: this.#clock.after(wait, () => this.#look(namespace)) });
    }
  }

  /** Whether it is for this replica to do something there: the leader at once, another when nobody has made what is missing. */
  #isOurs(namespace: string, missing: boolean): boolean {
    const { leading } = this.#options.leadership;
    if (leading || !missing) {
      this.#missing.get(namespace)?.();
      this.#missing.delete(namespace);
      return leading;
    }
    if (this.#missing.has(namespace)) return this.#missing.get(namespace) === undefined;
    const wait = DEFERENCE * (0.5 + this.#randomness.fraction() / 2);
    const over = (): void => {
      this.#missing.set(namespace, undefined);
      this.#look(namespace);
    };
    this.#missing.set(namespace, this.#clock.after(wait, over));
    return false;
  }

  async #bringAbout(namespace: string, wanted: boolean, found: StoredObject | undefined): Promise<void> {
    const { api, authority } = this.#options;
    const collection = `/api/v1/namespaces/${namespace}/configmaps`;
    if (!wanted) {
      if (found !== undefined && isOwn(found)) await api.delete({ path: `${collection}/${TRUST_CONFIG_MAP}` });
      return;
    }
    const data = trustData(authority.trust.pem);
    if (found === undefined) await api.create({ path: collection }, trustConfigMap(namespace, data));
    else if (isOwn(found) && !holdsTrust(found, data)) {
      await api.replace({ path: `${collection}/${TRUST_CONFIG_MAP}` }, { apiVersion: "v1", kind: "ConfigMap", ...found, data });
    }
  }

  #isWanted(namespace: string): boolean {
    return namespace === this.#options.namespace || this.#options.namespaceLabels.get(namespace)?.[INJECTION.label] === INJECTION.value;
  }

  #report(namespace: string, foreign: boolean): void {
    if (foreign === this.#foreign.has(namespace)) return;
    if (foreign) this.#foreign.add(namespace);
    else this.#foreign.delete(namespace);
    this.#options.onForeign?.(this.#foreign.size);
    if (!foreign) return;
    this.#options.log(
      "error",
      `the ConfigMap ${namespace}/${TRUST_CONFIG_MAP} was not made by Seawall and stays as it is: sidecars in ${namespace} cannot start. ` +
        "Remove or rename it, and Seawall makes its own",
    );
  }

  #isClosed(): boolean {
    return this.#closed;
  }
}

/** Whether a write failed because the namespace goes away, or because somebody else wrote first: then the watch tells more. */
function isOvertaken(failure: unknown): boolean {
  if (!(failure instanceof KubernetesApiError)) return false;
  return failure.status === 404 || failure.status === 409 || (failure.status === 403 && failure.message.includes("is being terminated"));
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
