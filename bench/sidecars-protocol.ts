export interface SidecarsParameters {
  readonly stateFolder: string;
  readonly pods: readonly { readonly key: string; readonly namespace: string; readonly name: string }[];
  readonly insecureXds: boolean;
}

/** A change that certain sidecars must receive. */
export interface Expectation {
  /** Keys of pods. */
  readonly pods: readonly string[];
  readonly typeUrl: string;
  readonly name: string;
  /** What the new content must hold; empty when any change will do. */
  readonly marker: string;
}

/** All that came since the last tally. */
export interface Tally {
  /** Keys of the pods that received anything. */
  readonly touched: readonly string[];
  readonly responses: number;
  /** Bytes of responses. */
  readonly bytes: number;
}

export type SidecarsProtocol = {
  /** Makes the tokens. */
  readonly prepare: { readonly question: null; readonly answer: null };
  /** Connects all at once. `synced` are milliseconds until all had everything, `first` until the first had. */
  readonly connect: {
    readonly question: { readonly port: number };
    readonly answer: { readonly synced: number; readonly first: number; readonly bytes: number; readonly cpu: number };
  };
  /** To be asked before the change is made. */
  readonly expect: { readonly question: Expectation; readonly answer: null };
  /** When each expected sidecar had received what was expected, on the monotonic clock, in order. */
  readonly arrived: { readonly question: null; readonly answer: readonly number[] };
  readonly tally: { readonly question: null; readonly answer: Tally };
  readonly connectFloor: {
    readonly question: { readonly port: number; readonly ca: string; readonly streams: number };
    readonly answer: null;
  };
  /** When the newest write of the floor had reached each of its streams. */
  readonly floorArrived: { readonly question: null; readonly answer: readonly number[] };
};
