/** How large a generated mesh is. */
export interface MeshShape {
  readonly sidecars: number;
  readonly services: number;
  readonly policies: number;
  /** Sidecars that the edited policy selects. */
  readonly selected: number;
  /** Services that may call each service: as many services does every sidecar see. */
  readonly callers: number;
  /** The selected pods are of as many workloads as they can be, rather than replicas of one. */
  readonly spread: boolean;
}
