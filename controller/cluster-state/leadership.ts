/** Which of the control plane's replicas does what only one may do. */
export interface Leadership {
  /** Whether this replica leads now. */
  readonly leading: boolean;
  /** Calls after every change of {@link leading}. Returns what ends it. */
  onChange(listener: () => void): () => void;
}
