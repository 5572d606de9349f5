import type { Clock } from "../../ca/clock.ts";
import type { Collection } from "../collections/collection.ts";

/** What is asked of a pod that the mesh knows. */
export interface KnownPod {
  readonly uid?: string;
  readonly serviceAccount: string;
}

/** The pods that the mesh knows now, for those who wait for one, or for its end. */
export class LivePods<P extends KnownPod> {
  readonly #pods: Collection<string, P>;
  readonly #clock: Clock;
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #stop: () => void;

  constructor(pods: Collection<string, P>, clock: Clock) {
    this.#pods = pods;
    this.#clock = clock;
    this.#stop = pods.onChange((changes) => {
      for (const key of changes.keys()) for (const listener of [...(this.#listeners.get(key) ?? [])]) listener();
    });
  }

  close(): void {
    this.#stop();
  }

  /**
   * The pod of this name once it is the one with this UID: a sidecar may be quicker than the watch that tells of its pod.
   * After so many milliseconds whatever has the name then, if anything.
   */
  async find(key: string, uid: string, patience: number): Promise<P | undefined> {
    if (this.#pods.get(key)?.uid !== uid) await this.#arrival(key, uid, patience);
    return this.#pods.get(key);
  }

  /** Calls once when the pod with this UID is there no longer, at once if it is gone already. Returns what ends that. */
  onGone(key: string, uid: string, gone: () => void): () => void {
    if (this.#pods.get(key)?.uid !== uid) {
      gone();
      return () => undefined;
    }
    const stop = this.#listen(key, () => {
      if (this.#pods.get(key)?.uid === uid) return;
      stop();
      gone();
    });
    return stop;
  }

  #arrival(key: string, uid: string, patience: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        stop();
        resolve();
      };
      const cancel = this.#clock.after(patience, end);
      const stop = this.#listen(key, () => {
        if (this.#pods.get(key)?.uid === uid) end();
      });
    });
  }

  #listen(key: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key);
    };
  }
}
