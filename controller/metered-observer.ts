import type { DeltaObserver } from "../xds-server/delta/observer.ts";
import type { Metrics } from "./admin/metrics.ts";
import type { LogLevel } from "./control-plane-options.ts";
import type { KubernetesObserver } from "./sources/kubernetes/observer.ts";

/** Turns what happens on the streams into metrics and log lines. */
export function meteredObserver(metrics: Metrics, log: (level: LogLevel, message: string) => void): DeltaObserver {
  return {
    onConnected(subscriber, peer) {
      metrics.streams.inc();
      log("info", `sidecar ${subscriber} connected from ${peer}`);
    },
    onDisconnected(subscriber, peer, reason) {
      metrics.streams.dec();
      log("info", `sidecar ${subscriber} at ${peer} disconnected (${reason})`);
    },
    onNack(subscriber, nack) {
      metrics.nacks.inc();
      log("error", `sidecar ${subscriber} rejected ${nack.names.join(", ")}: ${nack.message}`);
    },
    onPush(_subscriber, { typeUrl, bytes, resources }) {
      const type = typeUrl.slice(typeUrl.lastIndexOf(".") + 1);
      metrics.pushes.inc({ type });
      metrics.pushedResources.inc({ type }, resources);
      metrics.pushedBytes.inc(bytes);
    },
    onRefused(reason) {
      metrics.refused.inc({ reason });
    },
  };
}

/** Turns the work with the API server into metrics. */
export function meteredKubernetes(metrics: Metrics): KubernetesObserver {
  return {
    onList: (kind) => metrics.kubernetesLists.inc({ kind }),
    onEvent: (kind, type) => metrics.kubernetesEvents.inc({ kind, type }),
    onInterruption: (kind, reason) => metrics.kubernetesInterruptions.inc({ kind, reason }),
  };
}
