import type { DeltaObserver } from "../xds-server/delta/observer.ts";

/** Tells two observers everything. */
export function bothObservers(one: DeltaObserver, other: DeltaObserver): DeltaObserver {
  return {
    onConnected: (...event) => (one.onConnected?.(...event), other.onConnected?.(...event)),
    onDisconnected: (...event) => (one.onDisconnected?.(...event), other.onDisconnected?.(...event)),
    onAcknowledged: (...event) => (one.onAcknowledged?.(...event), other.onAcknowledged?.(...event)),
    onApplied: (...event) => (one.onApplied?.(...event), other.onApplied?.(...event)),
    onNack: (...event) => (one.onNack?.(...event), other.onNack?.(...event)),
    onPush: (...event) => (one.onPush?.(...event), other.onPush?.(...event)),
    onRefused: (...event) => (one.onRefused?.(...event), other.onRefused?.(...event)),
  };
}
