/** The leader's view of what every replica has settled. Kept are the policies that some replica has yet to settle, usually none. */
import type { ReportClock } from "./report-clock.ts";
import type { SettledPolicies } from "./settled-policies.ts";

export interface SettlementOptions {
  readonly clock: ReportClock;
  /** Milliseconds for which a policy waits for replicas, of which one may have lost the API server. */
  readonly patienceMs: number;
  /** Told that these replicas are waited for no longer. */
  readonly onGivenUp?: (policy: string, replicas: readonly string[]) => void;
}

interface Awaited {
  readonly revision: string;
  readonly cancelPatience: () => void;
}

export class Settlement {
  readonly #options: SettlementOptions;
  /** What ends the listening, by replica. */
  readonly #replicas = new Map<SettledPolicies, { readonly name: string; readonly stop: () => void }>();
  /** Replicas that serve sidecars, by name, whether or not they have joined. */
  readonly #serving = new Set<string>();
  readonly #awaited = new Map<string, Awaited>();
  readonly #listeners = new Set<(policy: string) => void>();

  constructor(options: SettlementOptions) {
    this.#options = options;
  }

  /** Tells of policies that every replica has settled at last, or that are waited for no longer. */
  listen(listener: (policy: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Policies wait for this replica too, until it leaves; those that are settled already do not. Returns what makes it leave. */
  join(name: string, replica: SettledPolicies): () => void {
    // It came anew, and its earlier connection has yet to be found dead.
    for (const [earlier, { name: its }] of this.#replicas) if (its === name) this.#drop(earlier);
    this.#replicas.set(replica, { name, stop: replica.listen((policy) => this.#judge(policy)) });
    return () => {
      this.#drop(replica);
      this.#judgeAll();
    };
  }

  /** A replica serves sidecars: it is waited for though it may not have found this leader yet. */
  serves(name: string): void {
    this.#serving.add(name);
  }

  servesNoLonger(name: string): void {
    this.#serving.delete(name);
    this.#judgeAll();
  }

  /** The policy has this revision from now on. */
  expect(policy: string, revision: string): void {
    this.forget(policy);
    if (this.#behind(policy, revision).length === 0) return;
    const cancelPatience = this.#options.clock.after(this.#options.patienceMs, () => {
      this.#options.onGivenUp?.(policy, this.awaitedAt(policy));
      this.#settled(policy);
    });
    this.#awaited.set(policy, { revision, cancelPatience });
  }

  forget(policy: string): void {
    this.#awaited.get(policy)?.cancelPatience();
    this.#awaited.delete(policy);
  }

  /** The replicas that have yet to settle what was expected last, by name, sorted. */
  awaitedAt(policy: string): readonly string[] {
    const awaited = this.#awaited.get(policy);
    return awaited === undefined ? [] : this.#behind(policy, awaited.revision);
  }

  close(): void {
    for (const { stop } of this.#replicas.values()) stop();
    for (const { cancelPatience } of this.#awaited.values()) cancelPatience();
    this.#replicas.clear();
    this.#awaited.clear();
  }

  #behind(policy: string, revision: string): readonly string[] {
    const joined = [...this.#replicas];
    const absent = [...this.#serving].filter((name) => !joined.some(([, one]) => one.name === name));
    return [...joined.flatMap(([replica, { name }]) => (replica.revisionOf(policy) === revision ? [] : [name])), ...absent].sort();
  }

  #drop(replica: SettledPolicies): void {
    this.#replicas.get(replica)?.stop();
    this.#replicas.delete(replica);
  }

  #judgeAll(): void {
    for (const policy of [...this.#awaited.keys()]) this.#judge(policy);
  }

  #judge(policy: string): void {
    const awaited = this.#awaited.get(policy);
    if (awaited !== undefined && this.#behind(policy, awaited.revision).length === 0) this.#settled(policy);
  }

  #settled(policy: string): void {
    this.forget(policy);
    for (const listener of this.#listeners) listener(policy);
  }
}
