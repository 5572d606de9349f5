/** Which of the control plane's replicas does what only one may do. */
export interface Leadership {
  /** Whether this replica leads now. */
  readonly leading: boolean;
  /** Calls after every change of {@link leading}. Returns what ends it. */
  onChange(listener: () => void): () => void;
}

/** The leadership of an election that tells of its changes to one listener only: that one calls {@link changed}. */
export class ElectedLeadership implements Leadership {
  readonly #isLeader: () => boolean;
  readonly #listeners = new Set<() => void>();

  constructor(isLeader: () => boolean) {
    this.#isLeader = isLeader;
  }

  get leading(): boolean {
    return this.#isLeader();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
