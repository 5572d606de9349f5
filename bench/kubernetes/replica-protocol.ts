import type { Usage } from "../control-plane-protocol.ts";

export interface ReplicaParameters {
  readonly server: string;
  readonly ca: string;
  readonly token: string;
}

export type ReplicaProtocol = {
  readonly start: {
    readonly question: null;
    /** On the monotonic clock: when its modules had been loaded, and when everything was computed and served. */
    readonly answer: { readonly loadedAt: number; readonly servingAt: number; readonly pods: number };
  };
  /** `collect` runs the garbage collector before looking. */
  readonly usage: { readonly question: { readonly collect: boolean }; readonly answer: Usage };
  /** Forgets what it was asked about so far. */
  readonly beginOutage: { readonly question: null; readonly answer: null };
  /** Waits until every kind is followed again after an outage; gives the time, and how many ticks published anything since it began. */
  readonly endOutage: { readonly question: null; readonly answer: { readonly at: number; readonly changes: number } };
};
