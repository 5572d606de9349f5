import type { WatchEvent } from "../../kubernetes/api.ts";

/** Why following a kind was interrupted. */
export type Interruption =
  /** The server ends each watch after some minutes. */
  | "TimedOut"
  /** Nothing came for too long. */
  | "Stalled"
  /** The server no longer knows what happened since the last event. */
  | "Expired"
  /** The server does not have the kind. */
  | "Absent"
  /** The server could not be asked, or answered with an error. */
  | "Failed";

/** Told of the work with the API server, by kind; for metrics. */
export interface KubernetesObserver {
  /** A kind was listed as a whole. */
  onList(kind: string, objects: number): void;
  onEvent(kind: string, type: WatchEvent["type"]): void;
  onInterruption(kind: string, reason: Interruption): void;
}

export const NO_OBSERVER: KubernetesObserver = { onList: () => undefined, onEvent: () => undefined, onInterruption: () => undefined };
