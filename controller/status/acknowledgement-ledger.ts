/**
 * Who acknowledged what: that a sidecar runs a policy, in one state of the policy and of the pod. That a sidecar goes away
 * takes nothing back: it comes again with the same configuration, or with none and then lets nothing through.
 */

/** The generation of a policy that was acknowledged, and for which workload: a pod whose labels change has to do it anew. */
export function acknowledgedState(revision: string, workload: string): string {
  return `${revision} ${workload}`;
}

export interface LedgerListener {
  /** A pod (by its id) runs a policy in this state; undefined: that is to be shown anew. */
  onAcknowledgement(policy: string, pod: string, state: string | undefined): void;
  /** What a pod's Envoy refuses to run, in its own words; undefined: nothing any more. */
  onRejection(pod: string, words: string | undefined): void;
}

export class AcknowledgementLedger {
  /** States by pod and policy. */
  readonly #states = new Map<string, Map<string, string>>();
  readonly #rejections = new Map<string, string>();
  readonly #listeners = new Set<LedgerListener>();

  listen(listener: LedgerListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stateOf(policy: string, pod: string): string | undefined {
    return this.#states.get(pod)?.get(policy);
  }

  rejectionOf(pod: string): string | undefined {
    return this.#rejections.get(pod);
  }

  /** Whether anything was said of a pod, be it that nothing holds any more. */
  speaksOf(pod: string): boolean {
    return this.#states.has(pod);
  }

  *acknowledgements(): Iterable<readonly [policy: string, pod: string, state: string]> {
    for (const [pod, states] of this.#states) for (const [policy, state] of states) yield [policy, pod, state];
  }

  rejections(): Iterable<readonly [pod: string, words: string]> {
    return this.#rejections;
  }

  /** With an undefined state the acknowledgement is taken back. */
  record(policy: string, pod: string, state: string | undefined): void {
    if (this.stateOf(policy, pod) === state) return;
    if (state === undefined) this.#statesOf(pod).delete(policy);
    else {
      this.#statesOf(pod).set(policy, state);
      this.recordRejection(pod, undefined);
    }
    for (const listener of this.#listeners) listener.onAcknowledgement(policy, pod, state);
  }

  /** A pod that refuses something acknowledges nothing; so an acknowledgement ends its rejection. */
  recordRejection(pod: string, words: string | undefined): void {
    if (this.#rejections.get(pod) === words) return;
    this.#statesOf(pod);
    if (words === undefined) this.#rejections.delete(pod);
    else this.#rejections.set(pod, words);
    for (const listener of this.#listeners) listener.onRejection(pod, words);
  }

  /** Drops all that is known of a pod, because it is gone or no longer ours to speak of. Nobody is told. */
  forgetPod(pod: string): void {
    this.#states.delete(pod);
    this.#rejections.delete(pod);
  }

  /** Drops all that is known of a policy, because it is gone. Nobody is told. Costs a look at every pod. */
  forgetPolicy(policy: string): void {
    for (const states of this.#states.values()) states.delete(policy);
  }

  /** Drops what is kept of policies and pods that are not there. Nobody is told. Costs a look at everything. */
  retain(hasPolicy: (policy: string) => boolean, hasPod: (pod: string) => boolean): void {
    for (const pod of this.#rejections.keys()) if (!hasPod(pod)) this.#rejections.delete(pod);
    for (const [pod, states] of this.#states) {
      if (!hasPod(pod)) this.#states.delete(pod);
      else for (const policy of states.keys()) if (!hasPolicy(policy)) states.delete(policy);
    }
  }

  #statesOf(pod: string): Map<string, string> {
    let states = this.#states.get(pod);
    if (states === undefined) this.#states.set(pod, (states = new Map<string, string>()));
    return states;
  }
}
