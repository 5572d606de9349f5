/**
 * What the sidecars that are connected to this replica have acknowledged. The delta server knows updates and no policies: a
 * policy's state is acknowledged by a pod whose sidecar accepted the update that carried it, and the one that made the pod
 * what it is now. Both are noted in the tick of the change, before any sidecar can have answered.
 */
import type { DeltaObserver } from "../../xds-server/delta/observer.ts";
import type { SubscriberProgress } from "../../xds-server/delta/stream-status.ts";
import { AcknowledgementLedger, acknowledgedState } from "./acknowledgement-ledger.ts";
import type { CoveredWorkload, PolicyCoverage, SidecarPod } from "./policy-coverage.ts";
import type { ReportClock } from "./report-clock.ts";
import { SettledPolicies } from "./settled-policies.ts";

/** The delta server, as far as it matters here. */
export interface AcknowledgingServer {
  /** The number of the newest update. */
  readonly sequence: number;
  progress(subscriber: string): SubscriberProgress | undefined;
}

/** An update with changes of policies that some sidecar has yet to answer, be it covered by them or not. */
interface OpenUpdate {
  readonly sequence: number;
  readonly policies: ReadonlySet<string>;
  readonly unanswered: Set<string>;
  readonly cancelPatience: () => void;
}

/** Milliseconds for which a policy is not settled because of sidecars that do not answer. */
const PATIENCE = 2_000;

interface Work {
  /** Policies whose state changed. */
  readonly policies: Set<string>;
  /** Pods (by key) that became something else. */
  readonly pods: Set<string>;
  /** Who is covered by whom from now on. */
  readonly pairs: CoveredWorkload[];
  /** Pods (by key) whose sidecar said something, came or went. */
  readonly heard: Set<string>;
}

export class SidecarAcknowledgements {
  /** For the delta server: to be told of what happens on its streams. */
  readonly observer: DeltaObserver;
  /** Of the sidecars that are connected now, and no others. */
  readonly ledger = new AcknowledgementLedger();
  readonly settled = new SettledPolicies();
  readonly #coverage: PolicyCoverage;
  readonly #clock: ReportClock;
  readonly #patience: number;
  #server: AcknowledgingServer | undefined;
  #work: Work = noWork();
  #scheduled = false;
  readonly #stops: (() => void)[] = [];
  /** The update before which everything was there when this began. */
  #first = 1;
  /** The newest update when work was last done. */
  #seen = 0;
  /** The update that carried a policy's state, where it is later than the first. */
  readonly #policySequence = new Map<string, number>();
  /** The update that made a pod what it is, where it is later than the first. */
  readonly #podSequence = new Map<string, number>();
  /** The ids of connected pods, by key. */
  readonly #connected = new Map<string, string>();
  /** Whom the updates since work was last done concern. */
  #touched = new Set<string>();
  readonly #open = new Set<OpenUpdate>();

  constructor(coverage: PolicyCoverage, clock: ReportClock, patienceMs: number = PATIENCE) {
    this.#coverage = coverage;
    this.#clock = clock;
    this.#patience = patienceMs;
    const heard = (subscriber: string): void => {
      this.#work.heard.add(subscriber);
      this.#schedule();
    };
    this.observer = {
      onConnected: heard,
      onDisconnected: heard,
      onAcknowledged: heard,
      onNack: heard,
      onApplied: (_sequence, touched) => {
        for (const subscriber of touched) this.#touched.add(subscriber);
        this.#schedule();
      },
    };
  }

  /** To be called once, when the server has been given all that there is. */
  start(server: AcknowledgingServer): void {
    this.#server = server;
    this.#first = Math.max(1, server.sequence);
    this.#seen = server.sequence;
    const { subjects, pairs, pods } = this.#coverage;
    // Who connects from now on is given what is in force.
    for (const [policy, { revision }] of subjects.entries()) this.settled.record(policy, revision);
    this.#stops.push(
      subjects.onChange((changes) => {
        for (const [key, change] of changes) {
          // What is said of a policy may change, and its state not.
          if (change.kind !== "updated" || change.old.revision !== change.value.revision) this.#work.policies.add(key);
        }
        this.#schedule();
      }),
      pairs.onChange((changes) => {
        for (const change of changes.values()) if (change.kind === "added") this.#work.pairs.push(change.value);
        this.#schedule();
      }),
      pods.onChange((changes) => {
        for (const [key, change] of changes) {
          const same = change.kind === "updated" && change.old.workload === change.value.workload && change.old.id === change.value.id;
          if (!same) this.#work.pods.add(key);
        }
        this.#schedule();
      }),
    );
    this.#schedule();
  }

  close(): void {
    for (const stop of this.#stops) stop();
    for (const { cancelPatience } of this.#open) cancelPatience();
    this.#server = undefined;
  }

  /** After the tick, in which the server is given its update last. */
  #schedule(): void {
    if (this.#scheduled || this.#server === undefined) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#settle();
    });
  }

  #settle(): void {
    const server = this.#server;
    if (server === undefined) return;
    const work = this.#work;
    this.#work = noWork();
    const { subjects, pods, pairsByPolicy, podsByWorkload } = this.#coverage;
    // A change that puts nothing on the wire needs no answer: what had to be acknowledged before still has to be.
    const carried = server.sequence > this.#seen ? server.sequence : undefined;
    this.#seen = server.sequence;

    // A policy that covers more than before without having changed itself: its pods did, in a way.
    for (const { policy, workload } of work.pairs) {
      if (!work.policies.has(policy)) for (const { key } of podsByWorkload.values(workload)) work.pods.add(key);
    }
    for (const key of work.pods) {
      if (!pods.has(key)) this.#podSequence.delete(key);
      else if (carried !== undefined) this.#podSequence.set(key, carried);
      work.heard.add(key);
    }
    for (const policy of work.policies) {
      if (!subjects.has(policy)) {
        this.#policySequence.delete(policy);
        this.ledger.forgetPolicy(policy);
        this.settled.forget(policy);
      } else if (carried !== undefined) this.#policySequence.set(policy, carried);
    }

    this.#openUpdate(server, carried, work.policies);
    const answered = this.#closeUpdates(server, work.heard);

    for (const key of work.heard) this.#judgePod(key, server.progress(key), work.pods.has(key));
    for (const policy of work.policies) {
      for (const { workload } of pairsByPolicy.values(policy)) {
        for (const pod of podsByWorkload.values(workload)) {
          if (this.#connected.has(pod.key)) this.#judge(policy, pod, server.progress(pod.key), true);
        }
      }
    }
    for (const policy of new Set([...work.policies, ...answered])) {
      const subject = subjects.get(policy);
      if (subject !== undefined && !this.#isOpen(policy)) this.settled.record(policy, subject.revision);
    }
  }

  #openUpdate(server: AcknowledgingServer, sequence: number | undefined, policies: ReadonlySet<string>): void {
    const touched = this.#touched;
    this.#touched = new Set();
    if (sequence === undefined || policies.size === 0) return;
    const unanswered = new Set([...touched].filter((subscriber) => isBehind(server, subscriber, sequence)));
    if (unanswered.size === 0) return;
    const update: OpenUpdate = {
      ...{ sequence, policies, unanswered },
      cancelPatience: this.#clock.after(this.#patience, () => {
        unanswered.clear();
        this.#schedule();
      }),
    };
    this.#open.add(update);
  }

  /** The policies of the updates that everybody has answered. */
  #closeUpdates(server: AcknowledgingServer, heard: ReadonlySet<string>): ReadonlySet<string> {
    const answered = new Set<string>();
    for (const update of this.#open) {
      const { sequence, policies, unanswered, cancelPatience } = update;
      for (const subscriber of heard) if (!isBehind(server, subscriber, sequence)) unanswered.delete(subscriber);
      if (unanswered.size > 0) continue;
      cancelPatience();
      this.#open.delete(update);
      for (const policy of policies) answered.add(policy);
    }
    return answered;
  }

  #isOpen(policy: string): boolean {
    for (const { policies } of this.#open) if (policies.has(policy)) return true;
    return false;
  }

  #judgePod(key: string, progress: SubscriberProgress | undefined, anew: boolean): void {
    const pod = this.#coverage.pods.get(key);
    const before = this.#connected.get(key);
    // The stream of an earlier pod of the same name says nothing of this one.
    const connected = pod !== undefined && progress !== undefined && (progress.uid === undefined || progress.uid === pod.id);
    if (before !== undefined && (!connected || before !== pod.id)) this.ledger.forgetPod(before);
    if (!connected) {
      this.#connected.delete(key);
      return;
    }
    this.#connected.set(key, pod.id);
    this.ledger.recordRejection(pod.id, progress.rejection);
    for (const { policy } of this.#coverage.pairsByWorkload.values(pod.workload)) this.#judge(policy, pod, progress, anew);
  }

  /** What was acknowledged stays so, unless it is asked for `anew`. */
  #judge(policy: string, pod: SidecarPod, progress: SubscriberProgress | undefined, anew: boolean): void {
    const subject = this.#coverage.subjects.get(policy);
    if (subject === undefined || progress === undefined) return;
    const state = acknowledgedState(subject.revision, pod.workload);
    const needed = Math.max(this.#policySequence.get(policy) ?? this.#first, this.#podSequence.get(pod.key) ?? this.#first);
    if (progress.ackedThrough < needed) {
      if (anew && this.ledger.stateOf(policy, pod.id) === state) this.ledger.record(policy, pod.id, undefined);
    } else if (progress.rejection === undefined) this.ledger.record(policy, pod.id, state);
  }
}

/** Who is not connected is waited for no longer. */
function isBehind(server: AcknowledgingServer, subscriber: string, sequence: number): boolean {
  const progress = server.progress(subscriber);
  return progress !== undefined && progress.ackedThrough < sequence;
}

function noWork(): Work {
  return { policies: new Set(), pods: new Set(), pairs: [], heard: new Set() };
}
