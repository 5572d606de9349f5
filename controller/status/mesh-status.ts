/**
 * The statuses of a mesh whose control plane has replicas:
 *
 *     sidecar -ACK-> delta server -> SidecarAcknowledgements (every replica: what its own sidecars run)
 *       follower: AcknowledgementReporter -gRPC-> leader: AcknowledgementService
 *       leader:   own + reported -> AcknowledgementLedger, Settlement -> PolicyTallies -> StatusWriter -> API server
 *
 * The leader begins with nothing: followers find it by the Lease and send it all that they know.
 */
import { ROUTE_KINDS } from "../../crds/core/route/services.ts";
import { SEAWALL_API_VERSION } from "../../crds/core/object.ts";
import { KINDS } from "../../crds/kinds.ts";
import type { GrpcService } from "../../xds-server/delta/delta-server.ts";
import type { DeltaObserver } from "../../xds-server/delta/observer.ts";
import type { Change, Collection } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import type { Log } from "../control-plane-options.ts";
import type { KubernetesApi } from "../kubernetes/api.ts";
import { parseLeader } from "../lease/leader-identity.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { type SourceEntry, sourceKey } from "../model/source-entry.ts";
import { AcknowledgementLedger } from "./acknowledgement-ledger.ts";
import { recordMessage } from "./acknowledgement-messages.ts";
import { AcknowledgementReporter } from "./acknowledgement-reporter.ts";
import { AcknowledgementService, type ReplicaAuthenticator } from "./acknowledgement-service.ts";
import { isProgrammed, policyStatus, routeStatus } from "./object-status.ts";
import { type PolicyCoverage, policyCoverage } from "./policy-coverage.ts";
import { type PolicyReport, PolicyTallies } from "./policy-tallies.ts";
import { type ReportClock, systemReportClock } from "./report-clock.ts";
import { type RouteReport, routeReports } from "./route-statuses.ts";
import { SettledPolicies } from "./settled-policies.ts";
import { Settlement } from "./settlement.ts";
import { type AcknowledgingServer, SidecarAcknowledgements } from "./sidecar-acknowledgements.ts";
import { type StatusKind, StatusWriter } from "./status-writer.ts";

/** Who leads; see LeaderElector. */
export interface Election {
  readonly leading: boolean;
  /** This replica's own. */
  readonly identity: string;
  /** `<pod>_<address>:<port>`, as in the Lease. */
  readonly holder: string | undefined;
  onChange(listener: () => void): () => void;
  onHolderChange(listener: () => void): () => void;
}

export interface MeshStatusOptions {
  readonly graph: Graph;
  readonly mesh: Mesh;
  readonly source: (kind: string) => Collection<string, SourceEntry>;
  readonly api: KubernetesApi;
  readonly election: Election;
  readonly authenticator: ReplicaAuthenticator;
  /** The names of the replicas that serve sidecars, this one among them. */
  readonly replicas: Collection<string, string>;
  /** How this replica proves to the leader what it is; see AcknowledgementReporterOptions. */
  readonly reporting: {
    readonly trust: () => string | undefined;
    readonly serverName: string;
    readonly token: () => Promise<string>;
  };
  readonly log: Log;
  readonly clock?: ReportClock;
  /** Milliseconds between two statuses of one policy while acknowledgements come in. Default 250. */
  readonly intervalMs?: number;
  /** Milliseconds for which a new leader believes an object that says it is programmed. Default 10 s. */
  readonly settlingMs?: number;
  /** Milliseconds for which a policy waits for callers that do not answer. Default 2 s. */
  readonly callersPatienceMs?: number;
  /** Milliseconds for which a policy waits for replicas that have yet to settle it. Default 10 s. */
  readonly replicasPatienceMs?: number;
  readonly onWrite?: (outcome: "written" | "gone" | "failed") => void;
}

/** Milliseconds between two looks for what is kept of policies and pods that are gone. */
const SWEEP = 600_000;

interface Lead {
  readonly writer: StatusWriter;
  readonly tallies: PolicyTallies;
  close(): void;
}

export class MeshStatus {
  /** Part of the delta server's observer. */
  readonly observer: DeltaObserver;
  /** One of the delta server's services. */
  readonly service: GrpcService;
  readonly coverage: PolicyCoverage;
  readonly #options: MeshStatusOptions;
  readonly #clock: ReportClock;
  readonly #routes: Collection<string, RouteReport>;
  readonly #acknowledgements: SidecarAcknowledgements;
  readonly #service: AcknowledgementService;
  readonly #reporter: AcknowledgementReporter;
  readonly #stops: (() => void)[] = [];
  #lead: Lead | undefined;

  /** Adds its collections to the graph. */
  constructor(options: MeshStatusOptions) {
    const { graph, mesh, source, authenticator, reporting, log } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemReportClock;
    this.coverage = policyCoverage(graph, mesh, source);
    this.#routes = routeReports(graph, mesh, source);
    this.#acknowledgements = new SidecarAcknowledgements(this.coverage, this.#clock, options.callersPatienceMs);
    this.#service = new AcknowledgementService(authenticator, this.#clock);
    this.#reporter = new AcknowledgementReporter({
      ...reporting,
      ledger: this.#acknowledgements.ledger,
      settled: this.#acknowledgements.settled,
      clock: this.#clock,
      log: (message) => log("warn", message),
    });
    this.observer = this.#acknowledgements.observer;
    this.service = this.#service.service;
  }

  /** To be called when the graph has computed everything and the server has been given it. */
  start(server: AcknowledgingServer): void {
    const { election } = this.#options;
    this.#acknowledgements.start(server);
    this.#stops.push(
      election.onChange(() => this.#follow()),
      election.onHolderChange(() => this.#follow()),
    );
    this.#follow();
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#endLead();
    this.#reporter.close();
    this.#acknowledgements.close();
  }

  /** Does what the election says: leads, or reports to who does. */
  #follow(): void {
    const { leading, holder, identity } = this.#options.election;
    if (leading) {
      this.#reporter.reportTo(undefined);
      this.#lead ??= this.#beginLead();
      return;
    }
    this.#endLead();
    this.#reporter.reportTo(holder === undefined || holder === identity ? undefined : parseLeader(holder));
  }

  #endLead(): void {
    this.#lead?.close();
    this.#lead = undefined;
  }

  #beginLead(): Lead {
    const { api, election, log, onWrite, intervalMs = 250, settlingMs = 10_000, replicasPatienceMs = 10_000 } = this.#options;
    const ledger = new AcknowledgementLedger();
    const own = this.#acknowledgements.ledger;
    for (const [policy, pod, state] of own.acknowledgements()) ledger.record(policy, pod, state);
    for (const [pod, words] of own.rejections()) ledger.recordRejection(pod, words);
    const settlement = new Settlement({
      clock: this.#clock,
      patienceMs: replicasPatienceMs,
      onGivenUp: (policy, replicas) =>
        log("warn", `${policy} counts as programmed, though ${replicas.join(", ")} may have yet to bring it to callers: they are behind`),
    });
    for (const [, name] of this.#options.replicas.entries()) settlement.serves(name);
    settlement.join(nameOf(election.identity), this.#acknowledgements.settled);
    const writer = new StatusWriter({
      api,
      mayWrite: () => election.leading,
      clock: this.#clock,
      log: (message) => log("warn", message),
      ...(onWrite === undefined ? {} : { onWrite }),
    });
    let begun = false;
    let settling = true;
    /** Policies that fell behind, as far as a leader can tell who has not heard everybody yet. */
    const postponed = new Set<string>();
    const report = (key: string, found: PolicyReport | undefined): void => {
      if (found === undefined) {
        writer.forget(key);
        return;
      }
      if (!begun) return;
      const { tally, unsettled } = found.findings;
      const behind = (tally.programmed < tally.affected && tally.rejection === undefined) || unsettled.length > 0;
      if (settling && behind && isProgrammed(writer.statusOf(key), found.subject.generation)) postponed.add(key);
      else wantPolicy(writer, found);
    };
    const { coverage } = this;
    const tallies = new PolicyTallies({ coverage, ledger, settlement, clock: this.#clock, intervalMs, onReport: report });
    const stops = [
      own.listen({
        onAcknowledgement: (policy, pod, state) => ledger.record(policy, pod, state),
        onRejection: (pod, words) => ledger.recordRejection(pod, words),
      }),
      this.#routes.onChange((changes) => followRoutes(writer, changes)),
      this.#options.replicas.onChange((changes) => followReplicas(settlement, changes)),
      this.#clock.after(settlingMs, () => {
        settling = false;
        for (const key of postponed) report(key, tallies.report(key));
        postponed.clear();
      }),
      this.#sweeping(ledger),
    ];
    // Until then it is not known what the objects say, and so what need not be said again.
    void writer.begin(STATUS_KINDS, sourceKey).then(() => {
      if (this.#lead?.writer !== writer) return;
      begun = true;
      for (const [, route] of this.#routes.entries()) wantRoute(writer, route);
      for (const key of this.coverage.subjects.keys()) report(key, tallies.report(key));
    });
    this.#service.takeReports((replica) => {
      const settled = new SettledPolicies();
      const leave = settlement.join(replica, settled);
      return { take: (message) => recordMessage(ledger, settled, message), ended: leave };
    });
    return {
      writer,
      tallies,
      close: () => {
        for (const stop of stops) stop();
        tallies.close();
        settlement.close();
        this.#service.takeReports(undefined);
        writer.close();
      },
    };
  }

  #sweeping(ledger: AcknowledgementLedger): () => void {
    let cancel: () => void;
    const sweep = (): void => {
      const ids = new Set([...this.coverage.pods.entries()].map(([, { id }]) => id));
      ledger.retain(
        (policy) => this.coverage.subjects.has(policy),
        (pod) => ids.has(pod),
      );
      cancel = this.#clock.after(SWEEP, sweep);
    };
    cancel = this.#clock.after(SWEEP, sweep);
    return () => cancel();
  }
}

function followReplicas(settlement: Settlement, changes: ReadonlyMap<string, Change<string>>): void {
  for (const change of changes.values()) {
    if (change.kind === "removed") settlement.servesNoLonger(change.old);
    else settlement.serves(change.value);
  }
}

/** The pod of a replica. */
function nameOf(identity: string): string {
  return identity.slice(0, Math.max(0, identity.indexOf("_"))) || identity;
}

/** The kinds whose status Seawall writes. */
const STATUS_KINDS: readonly StatusKind[] = KINDS.filter(
  ({ kind, apiVersion }) => apiVersion === SEAWALL_API_VERSION || ROUTE_KINDS.some((route) => route === kind),
);

function wantPolicy(writer: StatusWriter, report: PolicyReport): void {
  const { key, uid } = report.subject;
  writer.want(key, { path: pathOf(report.subject), uid, shared: false, render: (before, now) => policyStatus(report, before, now) });
}

function wantRoute(writer: StatusWriter, route: RouteReport): void {
  const { uid, parents, generation } = route;
  writer.want(sourceKey(route.kind, route.namespace, route.name), {
    path: pathOf(route),
    uid,
    shared: true,
    render: (before, now) => routeStatus(parents, generation, before, now),
  });
}

function followRoutes(writer: StatusWriter, changes: ReadonlyMap<string, Change<RouteReport>>): void {
  for (const [key, change] of changes) {
    if (change.kind === "removed") writer.forget(key);
    else wantRoute(writer, change.value);
  }
}

function pathOf({
  kind,
  namespace,
  name,
}: {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}): string {
  const known = STATUS_KINDS.find((candidate) => candidate.kind === kind);
  if (known === undefined) throw new Error(`${kind} has no status of ours`);
  const within = namespace === undefined ? "" : `namespaces/${namespace}/`;
  return `/apis/${known.apiVersion}/${within}${known.plural}/${name}`;
}
