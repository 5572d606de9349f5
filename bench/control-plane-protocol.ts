export interface ControlPlaneParameters {
  readonly configFolder: string;
  readonly stateFolder: string;
  /** A folder that only the floor's watcher looks at. */
  readonly floorFolder: string;
  readonly insecureXds: boolean;
}

export interface Usage {
  /** Milliseconds of CPU, user and system, of all threads. */
  readonly cpu: number;
  /** Bytes. */
  readonly rss: number;
  readonly heap: number;
  /** The most that the process ever had, in bytes. */
  readonly peakRss: number;
}

export type ControlPlaneProtocol = {
  readonly start: {
    readonly question: null;
    /** Ports, and the trust bundle as PEM. `startMs` is the time that startControlPlane took. */
    readonly answer: {
      readonly xds: number;
      readonly admin: number;
      readonly floor: number;
      readonly floorCa: string;
      readonly startMs: number;
    };
  };
  /** `collect` runs the garbage collector before looking. */
  readonly usage: { readonly question: { readonly collect: boolean }; readonly answer: Usage };
  /** From now on, each event in the floor's folder writes this many bytes to every stream of the floor. */
  readonly floorBytes: { readonly question: number; readonly answer: null };
  /** When the newest event in the floor's folder was seen, on the monotonic clock. */
  readonly floorEvent: { readonly question: null; readonly answer: number };
};
