/** A coordination.k8s.io/v1 Lease, as far as an election reads and writes it. */
export interface LeaseRecord {
  /** Undefined: nobody holds it. */
  readonly holder: string | undefined;
  readonly durationSeconds: number;
  /** RFC 3339 with microseconds. Only compared for being the same: clocks differ from machine to machine. */
  readonly renewTime: string;
  readonly acquireTime: string;
  readonly transitions: number;
}

export interface ObservedLease {
  readonly record: LeaseRecord;
  readonly resourceVersion: string;
}

/** Reads what the API server sent; what is absent is taken for nothing held. */
export function readLease(object: unknown): ObservedLease {
  const { metadata = {}, spec = {} } = object as {
    readonly metadata?: { readonly resourceVersion?: string };
    readonly spec?: {
      readonly holderIdentity?: string | null;
      readonly leaseDurationSeconds?: number | null;
      readonly renewTime?: string | null;
      readonly acquireTime?: string | null;
      readonly leaseTransitions?: number | null;
    };
  };
  return {
    resourceVersion: metadata.resourceVersion ?? "",
    record: {
      holder: spec.holderIdentity === null || spec.holderIdentity === "" ? undefined : spec.holderIdentity,
      durationSeconds: spec.leaseDurationSeconds ?? 0,
      renewTime: spec.renewTime ?? "",
      acquireTime: spec.acquireTime ?? "",
      transitions: spec.leaseTransitions ?? 0,
    },
  };
}

/** The object to create, or with a resource version to replace what was observed. */
export function leaseObject(namespace: string, name: string, record: LeaseRecord, resourceVersion?: string): object {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { namespace, name, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    spec: {
      ...(record.holder === undefined ? {} : { holderIdentity: record.holder }),
      leaseDurationSeconds: record.durationSeconds,
      renewTime: record.renewTime,
      acquireTime: record.acquireTime,
      leaseTransitions: record.transitions,
    },
  };
}

/** Unix milliseconds as a Kubernetes MicroTime. */
export function microTime(unixMs: number): string {
  return new Date(unixMs).toISOString().replace("Z", "000Z");
}
