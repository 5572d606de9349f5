/** A replica of the control plane, as far as statuses go: real source, real delta server, real election, over TLS. */
import { KINDS } from "../../../crds/kinds.ts";
import { ownAddress } from "../../../e2e/support/addresses.ts";
import { until } from "../../../e2e/support/eventually.ts";
import { DeltaServer } from "../../../xds-server/delta/delta-server.ts";
import type { AuthenticatedSubscriber } from "../../../xds-server/delta/feed.ts";
import type { ScriptedTarget } from "../../../xds-server/delta/testing/scripted-client.ts";
import type { TestAuthority } from "../../../xds-server/delta/testing/test-authority.ts";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import { LeaderElector } from "../../lease/leader-elector.ts";
import { formatLeader } from "../../lease/leader-identity.ts";
import { readyReplicas } from "../../replicas.ts";
import { KubernetesSource } from "../../sources/kubernetes/kubernetes-source.ts";
import { feedXds } from "../../xds-feed.ts";
import type { AuthenticatedReplica } from "../acknowledgement-service.ts";
import { MeshStatus } from "../mesh-status.ts";
import { MeshSources } from "./mesh-sources.ts";
import { TestSidecar } from "./test-sidecar.ts";

export interface TestReplicaOptions {
  readonly api: KubernetesApi;
  readonly authority: TestAuthority;
  readonly name: string;
  /** The Lease for which the replicas of one control plane contend; their pods, if there are any, are in the namespace of that name. */
  readonly lease: string;
  readonly settlingMs?: number;
  /** For both callers and replicas, ten minutes when absent: what a test waits for shall come by itself. */
  readonly patienceMs?: number;
  /** What it presents to the leader. */
  readonly token?: string;
}

/** What a leader takes for a replica's own token begins so; its name follows. */
const REPLICA_TOKEN = "of-replica-";
/** Milliseconds. */
const LONG = 600_000;

export class TestReplica {
  readonly lines: string[] = [];
  readonly #options: TestReplicaOptions;
  readonly #mesh = new MeshSources("by itself");
  readonly #tokens = new Map<string, AuthenticatedSubscriber>();
  readonly #sidecars: TestSidecar[] = [];
  readonly #target: ScriptedTarget;
  readonly #election: LeaderElector;
  readonly #status: MeshStatus;
  readonly #server: DeltaServer;
  readonly #objects: KubernetesSource;
  #ticks = 0;

  static async start(options: TestReplicaOptions): Promise<TestReplica> {
    const replica = new TestReplica(options);
    await replica.#begin();
    return replica;
  }

  private constructor(options: TestReplicaOptions) {
    const [host, port] = [ownAddress(), 15010];
    const { api, authority, name, lease } = options;
    const { graph, mesh, source } = this.#mesh;
    const log = (_level: string, line: string): void => void this.lines.push(line);
    this.#options = options;
    this.#target = { host, port, tls: { ca: authority.root } };
    this.#election = new LeaderElector({
      ...{ api, namespace: "default", name: lease, identity: formatLeader({ pod: name, host, port }) },
      // Whoever stops lets go of the Lease: nobody has to wait so long, and no slow machine loses it.
      ...{ leaseDurationMs: 60_000, renewDeadlineMs: 45_000, retryPeriodMs: 1_000 },
    });
    this.#status = new MeshStatus({
      ...{ graph, mesh, source, api, log, election: this.#election },
      authenticator: { authenticateReplica },
      replicas: readyReplicas(graph, mesh.inventory.pods, { namespace: lease, serviceAccount: "seawall" }),
      reporting: {
        trust: () => authority.root,
        serverName: "localhost",
        token: () => Promise.resolve(options.token ?? `${REPLICA_TOKEN}${name}`),
      },
      callersPatienceMs: options.patienceMs ?? LONG,
      replicasPatienceMs: options.patienceMs ?? LONG,
      ...(options.settlingMs === undefined ? {} : { settlingMs: options.settlingMs }),
    });
    this.#server = new DeltaServer({
      authenticator: { authenticate: (token) => this.#authenticate(token) },
      observer: this.#status.observer,
      services: [this.#status.service],
      log: (line) => log("warn", line),
    });
    this.#objects = KubernetesSource.open({ api, kinds: KINDS, source, log });
    graph.onTick(() => this.#ticks++);
  }

  /** How often anything changed of what this replica knows. */
  get ticks(): number {
    return this.#ticks;
  }

  /** By `namespace/name`. */
  knowsReady(pod: string): boolean {
    return this.#mesh.mesh.inventory.pods.get(pod)?.ready ?? false;
  }

  get leading(): boolean {
    return this.#election.leading;
  }

  /** The sidecar of a pod, by `namespace/name`. */
  async connect(pod: string, uid: string, answer: "accept" | "hold" = "accept"): Promise<TestSidecar> {
    this.#tokens.set(uid, { subscriber: pod, uid, expiresAt: Date.now() + 3_600_000 });
    const sidecar = await TestSidecar.connect(this.#target, uid, answer);
    this.#sidecars.push(sidecar);
    return sidecar;
  }

  /** Goes as a process that is told to: the Lease is let go of. */
  async stop(): Promise<void> {
    for (const sidecar of this.#sidecars) sidecar.close();
    await this.#election.close();
    this.#status.close();
    await this.#objects.close();
    await this.#server.stop();
    if (this.#mesh.faults.length > 0) throw new Error(`faults: ${JSON.stringify(this.#mesh.faults)}`);
  }

  async #begin(): Promise<void> {
    const { graph, mesh } = this.#mesh;
    this.#mesh.synced("none of the kinds");
    await until("every kind is known", () => graph.synced);
    feedXds(graph, mesh, (update) => void this.#server.apply(update));
    const { host, port } = this.#target;
    await this.#server.listen({ host, port, security: { kind: "tls", certificate: this.#options.authority.certificate() } });
    this.#status.start(this.#server);
    this.#election.start();
  }

  #authenticate(token: string | undefined): Promise<AuthenticatedSubscriber> {
    const identity = this.#tokens.get(token ?? "");
    return identity === undefined ? Promise.reject(new Error("no such token")) : Promise.resolve(identity);
  }
}

function authenticateReplica(token = ""): Promise<AuthenticatedReplica> {
  if (!token.startsWith(REPLICA_TOKEN)) return Promise.reject(new Error("the token is no replica's"));
  return Promise.resolve({ replica: token.slice(REPLICA_TOKEN.length), expiresAt: Date.now() + 3_600_000 });
}
