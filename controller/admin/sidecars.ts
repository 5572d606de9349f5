import type { StreamStatus } from "../../xds-server/delta/stream-status.ts";
import type { AdminParts } from "./parts.ts";

/** What `seawall proxy status` shows of one pod that should have a sidecar. */
export interface SidecarStatus {
  /** `namespace/pod`. */
  readonly subscriber: string;
  /** `namespace/name`. */
  readonly workload: string;
  readonly connected: boolean;
  readonly synced: boolean;
  /** The newest stream; a sidecar that reconnects may have two for a while. */
  readonly stream?: StreamStatus;
  readonly certificate?: { readonly spiffeId: string; readonly serial: string; readonly notBefore: number; readonly notAfter: number };
}

/** Every pod that should have a sidecar, connected or not, by name. */
export function sidecars({ mesh, server, leaves }: Pick<AdminParts, "mesh" | "server" | "leaves">): SidecarStatus[] {
  const newest = newestStreams(server.streams());
  return [...mesh.inventory.workloadOfPod.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([pod, workload]) => {
      const stream = newest.get(pod);
      const certificate = leaves.certificateOf(pod);
      return {
        subscriber: pod,
        workload: `${workload.namespace}/${workload.name}`,
        connected: stream !== undefined,
        synced: stream?.synced ?? false,
        ...(stream === undefined ? {} : { stream }),
        ...(certificate === undefined ? {} : { certificate }),
      };
    });
}

/** By subscriber. */
export function newestStreams(streams: readonly StreamStatus[]): ReadonlyMap<string, StreamStatus> {
  const newest = new Map<string, StreamStatus>();
  for (const stream of streams) {
    const known = newest.get(stream.subscriber);
    if (known === undefined || known.connectedAt <= stream.connectedAt) newest.set(stream.subscriber, stream);
  }
  return newest;
}
