/**
 * How far each policy is, among all sidecars of the mesh: the leader's view. Kept are the pods that have yet to acknowledge,
 * usually none; what comes in changes these alone. A policy whose findings may have changed is told of once in a while, and
 * at once when the last sidecar has acknowledged and every replica has settled it.
 */
import { acknowledgedState, type AcknowledgementLedger } from "./acknowledgement-ledger.ts";
import type { Loss, PolicyFindings, Tally } from "./condition.ts";
import type { PolicyCoverage, SidecarPod, StatusSubject } from "./policy-coverage.ts";
import type { ReportClock } from "./report-clock.ts";
import type { Settlement } from "./settlement.ts";

export interface TargetFindings {
  readonly position: number;
  readonly findings: PolicyFindings;
}

/** All that the status of a policy is made of. */
export interface PolicyReport {
  readonly subject: StatusSubject;
  readonly findings: PolicyFindings;
  readonly targets: readonly TargetFindings[];
}

export interface PolicyTalliesOptions {
  readonly coverage: PolicyCoverage;
  /** What the sidecars of all replicas acknowledged. */
  readonly ledger: AcknowledgementLedger;
  readonly settlement: Settlement;
  readonly clock: ReportClock;
  /** Milliseconds between two reports of one policy while acknowledgements come in. */
  readonly intervalMs: number;
  /** Told of a policy's findings, and that a policy is gone. */
  readonly onReport: (policy: string, report: PolicyReport | undefined) => void;
}

/** How many pods a message names that are waited for. */
const NAMED = 3;

export class PolicyTallies {
  readonly #options: PolicyTalliesOptions;
  readonly #coverage: PolicyCoverage;
  readonly #ledger: AcknowledgementLedger;
  readonly #settlement: Settlement;
  /** By policy the pods (key by id) that have yet to acknowledge. It may hold some that the policy no longer affects. */
  readonly #awaited = new Map<string, Map<string, string>>();
  readonly #changed = new Set<string>();
  readonly #complete = new Set<string>();
  readonly #stops: (() => void)[];
  #cancelReport: (() => void) | undefined;
  #scheduled = false;

  /** Takes stock of everything, once. */
  constructor(options: PolicyTalliesOptions) {
    this.#options = options;
    this.#coverage = options.coverage;
    this.#ledger = options.ledger;
    this.#settlement = options.settlement;
    const { subjects, pairs, pods } = this.#coverage;
    for (const policy of subjects.keys()) this.#recount(policy);
    this.#stops = [
      subjects.onChange((changes) => {
        for (const [policy, change] of changes) {
          if (change.kind === "removed") this.#forget(policy);
          else if (change.kind === "updated" && change.old.revision === change.value.revision) this.#note(policy);
          else this.#recount(policy);
        }
      }),
      pairs.onChange((changes) => {
        for (const change of changes.values()) {
          const { policy, workload } = change.kind === "removed" ? change.old : change.value;
          if (change.kind === "added") for (const pod of this.#coverage.runningByWorkload.values(workload)) this.#judge(policy, pod);
          this.#note(policy);
        }
      }),
      pods.onChange((changes) => {
        for (const change of changes.values()) {
          if (change.kind !== "added") this.#noteAll(change.old.workload);
          if (change.kind === "removed") this.#ledger.forgetPod(change.old.id);
          else {
            if (change.kind === "updated" && change.old.id !== change.value.id) this.#ledger.forgetPod(change.old.id);
            this.#noteAll(change.value.workload, change.value);
          }
        }
      }),
      this.#settlement.listen((policy) => {
        this.#completeIfSo(policy);
        this.#note(policy);
      }),
      this.#ledger.listen({
        onAcknowledgement: (policy, id, state) => this.#acknowledged(policy, id, state),
        onRejection: (id) => {
          for (const [policy, awaited] of this.#awaited) if (awaited.has(id)) this.#note(policy);
        },
      }),
    ];
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#cancelReport?.();
    this.#changed.clear();
    this.#complete.clear();
  }

  /** Undefined for a policy that is not there. */
  report(policy: string): PolicyReport | undefined {
    const subject = this.#coverage.subjects.get(policy);
    if (subject === undefined) return undefined;
    const awaited = this.#awaitedOf(policy);
    const unsettled = this.#settlement.awaitedAt(policy);
    const pairs = this.#coverage.pairsByPolicy.values(policy);
    const findings = (targets: StatusSubject["targets"], covered: typeof pairs): PolicyFindings => ({
      mistakes: subject.mistakes,
      missing: targets.filter(({ missing }) => missing).map(({ words }) => words),
      covers: covered.length > 0,
      losses: distinct(covered.flatMap(({ losses }) => losses)),
      unsettled,
      tally: this.#tally(
        covered.map(({ workload }) => workload),
        awaited,
      ),
    });
    return {
      subject,
      findings: findings(subject.targets, pairs),
      targets: subject.targets.map((target, position) => ({
        position,
        findings: findings(
          [target],
          pairs.filter(({ targets }) => targets.includes(position)),
        ),
      })),
    };
  }

  #tally(workloads: readonly string[], awaited: readonly SidecarPod[]): Tally {
    const affected = workloads.reduce((sum, workload) => sum + this.#coverage.runningByWorkload.values(workload).length, 0);
    const among = new Set(workloads);
    const waiting = awaited.filter(({ workload }) => among.has(workload));
    const rejecting = waiting.find(({ id }) => this.#ledger.rejectionOf(id) !== undefined);
    const words = rejecting === undefined ? undefined : this.#ledger.rejectionOf(rejecting.id);
    return {
      affected,
      programmed: affected - waiting.length,
      awaited: waiting.slice(0, NAMED).map(({ key }) => key),
      ...(rejecting === undefined || words === undefined ? {} : { rejection: { pod: rejecting.key, words } }),
    };
  }

  /** The pods that are waited for, by name; those that the policy no longer affects are dropped. */
  #awaitedOf(policy: string): readonly SidecarPod[] {
    const awaited = this.#awaited.get(policy);
    if (awaited === undefined) return [];
    const found: SidecarPod[] = [];
    for (const [id, key] of awaited) {
      const pod = this.#coverage.pods.get(key);
      if (pod?.id === id && pod.running && this.#coverage.pairs.has(`${policy} ${pod.workload}`)) found.push(pod);
      else awaited.delete(id);
    }
    if (awaited.size === 0) this.#awaited.delete(policy);
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #recount(policy: string): void {
    this.#awaited.delete(policy);
    const subject = this.#coverage.subjects.get(policy);
    if (subject !== undefined) this.#settlement.expect(policy, subject.revision);
    for (const { workload } of this.#coverage.pairsByPolicy.values(policy)) {
      for (const pod of this.#coverage.runningByWorkload.values(workload)) this.#judge(policy, pod);
    }
    this.#note(policy);
  }

  /** Whether a running pod that the policy covers has acknowledged it as it is now. */
  #judge(policy: string, pod: SidecarPod): void {
    const subject = this.#coverage.subjects.get(policy);
    if (subject === undefined) return;
    const awaited = this.#awaited.get(policy);
    if (this.#ledger.stateOf(policy, pod.id) === acknowledgedState(subject.revision, pod.workload)) awaited?.delete(pod.id);
    else if (awaited === undefined) this.#awaited.set(policy, new Map([[pod.id, pod.key]]));
    else awaited.set(pod.id, pod.key);
  }

  #acknowledged(policy: string, id: string, state: string | undefined): void {
    const awaited = this.#awaited.get(policy);
    const key = awaited?.get(id);
    if (awaited !== undefined && key !== undefined) {
      const pod = this.#coverage.pods.get(key);
      if (pod?.id === id) this.#judge(policy, pod);
      this.#completeIfSo(policy);
      this.#note(policy);
    } else if (state === undefined) this.#awaitAgain(policy, id);
  }

  /** Rare, so the pod may be looked for. */
  #awaitAgain(policy: string, id: string): void {
    for (const { workload } of this.#coverage.pairsByPolicy.values(policy)) {
      const pod = this.#coverage.runningByWorkload.values(workload).find((running) => running.id === id);
      if (pod === undefined) continue;
      this.#judge(policy, pod);
      this.#note(policy);
      return;
    }
  }

  #noteAll(workload: string, pod?: SidecarPod): void {
    for (const { policy } of this.#coverage.pairsByWorkload.values(workload)) {
      if (pod?.running === true) this.#judge(policy, pod);
      this.#note(policy);
    }
  }

  #completeIfSo(policy: string): void {
    if ((this.#awaited.get(policy)?.size ?? 0) === 0 && this.#settlement.awaitedAt(policy).length === 0) this.#complete.add(policy);
  }

  #forget(policy: string): void {
    this.#awaited.delete(policy);
    this.#settlement.forget(policy);
    this.#report(policy);
  }

  #note(policy: string): void {
    if (this.#coverage.subjects.has(policy)) this.#report(policy);
  }

  /** Soon, and at once when it is complete. */
  #report(policy: string): void {
    this.#changed.add(policy);
    if (this.#complete.has(policy) && !this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#reportAll(this.#complete);
      });
    }
    this.#cancelReport ??= this.#options.clock.after(this.#options.intervalMs, () => {
      this.#cancelReport = undefined;
      this.#reportAll(this.#changed);
    });
  }

  #reportAll(policies: ReadonlySet<string>): void {
    for (const policy of [...policies]) {
      if (!this.#changed.delete(policy)) continue;
      this.#options.onReport(policy, this.report(policy));
    }
    this.#complete.clear();
  }
}

function distinct(losses: readonly Loss[]): readonly Loss[] {
  return [...new Map(losses.map((loss) => [`${loss.reason} ${loss.by}`, loss])).values()].sort((a, b) => (a.by < b.by ? -1 : 1));
}
