import type { DeltaObserver } from "../xds-server/delta/observer.ts";

/** Tells two observers everything. */
export function bothObservers(one: DeltaObserver, other: DeltaObserver): DeltaObserver {
  return {
    onConnected: (...event) => void (one.onConnected?.(...event), other.onConnected?.(...event)),
    onDisconnected: (...event) => void (one.onDisconnected?.(...event), other.onDisconnected?.(...event)),
    onAcknowledged: (...event) => void (one.onAcknowledged?.(...event), other.onAcknowledged?.(...event)),
    onNack: (...event) => void (one.onNack?.(...event), other.onNack?.(...event)),
    onPush: (...event) => void (one.onPush?.(...event), other.onPush?.(...event)),
    onRefused: (...event) => void (one.onRefused?.(...event), other.onRefused?.(...event)),
  };
}
