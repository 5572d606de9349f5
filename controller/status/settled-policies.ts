/**
 * Which state of each policy a replica has brought to all whom it concerns. An edit reaches the callers of a service too: who is
 * permitted from now on must see it. No tally counts them, so what is said of them is only that none is left to wait for.
 */
export class SettledPolicies {
  /** Revisions by policy. */
  readonly #revisions = new Map<string, string>();
  readonly #listeners = new Set<(policy: string) => void>();

  listen(listener: (policy: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  revisionOf(policy: string): string | undefined {
    return this.#revisions.get(policy);
  }

  policies(): Iterable<string> {
    return this.#revisions.keys();
  }

  record(policy: string, revision: string): void {
    if (this.#revisions.get(policy) === revision) return;
    this.#revisions.set(policy, revision);
    for (const listener of this.#listeners) listener(policy);
  }

  /** The policy is gone. Nobody is told. */
  forget(policy: string): void {
    this.#revisions.delete(policy);
  }

  /** Drops what is kept of policies that are not there. Nobody is told. Costs a look at everything. */
  retain(hasPolicy: (policy: string) => boolean): void {
    for (const policy of this.#revisions.keys()) if (!hasPolicy(policy)) this.#revisions.delete(policy);
  }
}
