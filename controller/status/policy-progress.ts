import type { Mesh } from "../mesh/mesh.ts";

/** Remembers which update of the delta server carried the newest state of every policy. */
export class PolicyProgress {
  readonly #sequences = new Map<string, number>();
  #pending = new Set<string>();

  constructor(mesh: Mesh) {
    mesh.policies.all.onChange((changes) => {
      for (const [key, change] of changes) {
        if (change.kind === "removed") this.#sequences.delete(key);
        else this.#pending.add(key);
      }
    });
  }

  /** To be called when an update has been handed to the delta server. */
  applied(sequence: number): void {
    for (const key of this.#pending) this.#sequences.set(key, sequence);
    this.#pending = new Set();
  }

  /** The update that a sidecar must have acknowledged to run a policy's newest state; undefined when it changed nothing. */
  sequenceOf(policyKey: string): number | undefined {
    return this.#sequences.get(policyKey);
  }
}
