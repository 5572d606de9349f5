/**
 * Leader election on a Lease, in the way of Kubernetes' own controllers: who holds it renews it; who does not takes it over
 * when it has not changed for as long as it says. How long that is each contender measures by its own clock from when it saw
 * the last change, so clocks that differ do no harm. A leader that could not renew gives up well before anybody may take over.
 */
import { type KubernetesApi, KubernetesApiError } from "../kubernetes/api.ts";
import { type LeaseClock, systemLeaseClock } from "./lease-clock.ts";
import { type LeaseRecord, leaseObject, microTime, type ObservedLease, readLease } from "./lease-record.ts";

export const LEADER_LEASE = "seawall-leader";

export interface LeaderElectorOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  /** Default {@link LEADER_LEASE}. */
  readonly name?: string;
  /** Unlike that of any other contender that runs: two of one identity would both lead. */
  readonly identity: string;
  readonly log?: (message: string) => void;
  /** Milliseconds, whole seconds, that a holder is left alone after a renewal. Default 15 s. */
  readonly leaseDurationMs?: number;
  /** Milliseconds after which a leader that could not renew gives up; well below the lease's. Default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Milliseconds between two attempts. Default 2 s. */
  readonly retryPeriodMs?: number;
  readonly clock?: LeaseClock;
  /** In [0, 1), for jitter. */
  readonly random?: () => number;
}

interface Seen extends ObservedLease {
  /** Monotonic milliseconds at which the record was first seen as it is. */
  readonly since: number;
}

export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  readonly #clock: LeaseClock;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #closing = new AbortController();
  #seen: Seen | undefined;
  #leading = false;
  /** Monotonic milliseconds until which this contender may lead. */
  #leadsUntil = -Infinity;
  #cancelDeadline: (() => void) | undefined;
  #cancelNext: (() => void) | undefined;
  #attempting: Promise<void> | undefined;
  #complaint: string | undefined;
  readonly #leadingListeners = new Set<() => void>();
  readonly #holderListeners = new Set<() => void>();

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemLeaseClock;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
  }

  /** To be asked before each act that only the leader may do: true only while nobody else can lead. */
  get leading(): boolean {
    return this.#leading && this.#clock.monotonic() < this.#leadsUntil;
  }

  get identity(): string {
    return this.#options.identity;
  }

  /** The identity in the Lease as it was last seen; undefined while nobody holds it. */
  get holder(): string | undefined {
    return this.#seen?.record.holder;
  }

  /** Calls after every change of {@link leading}; when it ends, before anybody else can lead. The listener never throws. */
  onChange(listener: () => void): () => void {
    this.#leadingListeners.add(listener);
    return () => void this.#leadingListeners.delete(listener);
  }

  /** Calls after every change of {@link holder} that is seen, this contender's own included. The listener never throws. */
  onHolderChange(listener: () => void): () => void {
    this.#holderListeners.add(listener);
    return () => void this.#holderListeners.delete(listener);
  }

  start(): void {
    this.#next(0);
  }

  /** Stops; a leader lets go of the Lease, so that another can follow at once. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const held = this.#leading;
    this.#closing.abort();
    this.#cancelNext?.();
    this.#setLeading(false);
    await this.#attempting;
    if (held) await this.#release();
  }

  #next(delayMs: number): void {
    if (this.#closing.signal.aborted) return;
    this.#cancelNext = this.#clock.after(delayMs, () => {
      this.#attempting = this.#attempt().then(() => {
        // Contenders spread out, so that they do not all reach for a free Lease at one moment.
        const jitter = this.#leading ? 0 : 0.5 * (this.#options.random ?? Math.random)();
        this.#next(this.#retryPeriodMs * (1 + jitter));
      });
    });
  }

  async #attempt(): Promise<void> {
    try {
      await this.#acquireOrRenew();
      this.#complaint = undefined;
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      if (message === this.#complaint) return;
      this.#complaint = message;
      this.#options.log?.(`the Lease ${this.#options.namespace}/${this.#name} could not be read or written: ${message}`);
    }
  }

  async #acquireOrRenew(): Promise<void> {
    if (this.#leading && this.#seen !== undefined && (await this.#write(this.#renewed(this.#seen.record), this.#seen.resourceVersion))) {
      return;
    }
    const found = await this.#read();
    if (found === undefined) {
      this.#see(undefined);
      await this.#write(this.#renewed(undefined), undefined);
      return;
    }
    this.#see(found);
    if (found.record.holder !== this.#options.identity) {
      this.#setLeading(false);
      if (!this.#isFree()) return;
    }
    await this.#write(this.#renewed(found.record), found.resourceVersion);
  }

  #isFree(): boolean {
    if (this.#seen === undefined || this.#seen.record.holder === undefined) return true;
    return this.#clock.monotonic() - this.#seen.since >= this.#seen.record.durationSeconds * 1000;
  }

  #renewed(before: LeaseRecord | undefined): LeaseRecord {
    const { identity } = this.#options;
    const now = microTime(this.#clock.now());
    const kept = before?.holder === identity;
    return {
      holder: identity,
      durationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
      renewTime: now,
      acquireTime: kept ? before.acquireTime : now,
      transitions: before === undefined ? 0 : before.transitions + (kept ? 0 : 1),
    };
  }

  async #read(): Promise<ObservedLease | undefined> {
    try {
      return readLease(await this.#options.api.get({ path: `${this.#collection}/${this.#name}`, signal: this.#patience() }));
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  /** False when somebody else wrote in between. Leads from when it has succeeded, counted from when it was asked for. */
  async #write(record: LeaseRecord, resourceVersion: string | undefined): Promise<boolean> {
    const asked = this.#clock.monotonic();
    try {
      const written = readLease(await this.#send(record, resourceVersion));
      this.#see(written);
      this.#leadUntil(asked + this.#renewDeadlineMs);
      return true;
    } catch (error) {
      const status = statusOf(error);
      if (status === 409 || status === 404) return false;
      throw error;
    }
  }

  #send(record: LeaseRecord, resourceVersion: string | undefined, signal = this.#patience()): Promise<unknown> {
    const { api, namespace } = this.#options;
    const object = leaseObject(namespace, this.#name, record, resourceVersion);
    if (resourceVersion === undefined) return api.create({ path: this.#collection, signal }, object);
    return api.replace({ path: `${this.#collection}/${this.#name}`, signal }, object);
  }

  #see(lease: ObservedLease | undefined): void {
    const before = this.#seen;
    if (lease === undefined) this.#seen = undefined;
    else {
      const same = before !== undefined && JSON.stringify(before.record) === JSON.stringify(lease.record);
      this.#seen = { ...lease, since: same ? before.since : this.#clock.monotonic() };
    }
    if (before?.record.holder !== this.holder) for (const listener of [...this.#holderListeners]) listener();
  }

  #leadUntil(deadline: number): void {
    if (this.#closing.signal.aborted) return;
    this.#leadsUntil = deadline;
    this.#cancelDeadline?.();
    const left = deadline - this.#clock.monotonic();
    if (left <= 0) {
      this.#setLeading(false);
      return;
    }
    this.#cancelDeadline = this.#clock.after(left, () => this.#setLeading(false));
    this.#setLeading(true);
  }

  #setLeading(leading: boolean): void {
    if (!leading) this.#cancelDeadline?.();
    if (this.#leading === leading) return;
    this.#leading = leading;
    if (!leading) this.#leadsUntil = -Infinity;
    for (const listener of [...this.#leadingListeners]) listener();
  }

  /** A Lease that cannot be let go of runs out. */
  async #release(): Promise<void> {
    const signal = AbortSignal.timeout(this.#renewDeadlineMs / 2);
    const path = `${this.#collection}/${this.#name}`;
    try {
      // Read anew: a renewal that was on its way when this contender stopped may have arrived.
      const { record, resourceVersion } = readLease(await this.#options.api.get({ path, signal }));
      if (record.holder !== this.#options.identity) return;
      const released = { ...record, holder: undefined, durationSeconds: 1, renewTime: microTime(this.#clock.now()) };
      await this.#send(released, resourceVersion, signal);
    } catch (error) {
      this.#options.log?.(`the Lease ${this.#options.namespace}/${this.#name} is left to run out: ${String(error)}`);
    }
  }

  /** No call may take so long that a leader has no second try. */
  #patience(): AbortSignal {
    return AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#renewDeadlineMs / 2)]);
  }

  get #name(): string {
    return this.#options.name ?? LEADER_LEASE;
  }

  get #collection(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof KubernetesApiError ? error.status : undefined;
}
