/** The control plane that a command asks, as one thing: a standalone one, or all replicas of a cluster's. */
import type { SidecarStatus } from "../controller/admin/sidecars.ts";
import type { Explanation } from "../controller/explain/explain.ts";
import type { ExplainRequest } from "../controller/explain/explain-request.ts";
import type { Cluster } from "./cluster/cluster.ts";
import { namesCluster } from "./cluster/cluster-options.ts";
import { isReady, SEAWALL } from "./cluster/objects.ts";
import { CommandFailure } from "./command-failure.ts";
import { ControlPlaneAdmin, type IntendedResource } from "./control-plane-admin.ts";
import { type ControlPlaneChoice, LOCAL_ADMIN } from "./control-plane-choice.ts";
import type { Terminal } from "./terminal.ts";

/** One replica. */
export interface Replica {
  /** Its pod's name; `standalone` outside of clusters. */
  readonly name: string;
  readonly admin: ControlPlaneAdmin;
}

export class ControlPlanes implements AsyncDisposable {
  /** At least one. */
  readonly replicas: readonly Replica[];
  /** Undefined for a standalone control plane. */
  readonly cluster: Cluster | undefined;

  private constructor(replicas: readonly Replica[], cluster: Cluster | undefined) {
    this.replicas = replicas;
    this.cluster = cluster;
  }

  /** Rejects with a CommandFailure, or an error that is written for users, when there is nothing to ask. */
  static async reach(choice: ControlPlaneChoice, terminal: Terminal): Promise<ControlPlanes> {
    if (choice.admin !== undefined || !namesCluster(choice, terminal)) {
      return new ControlPlanes([{ name: "standalone", admin: new ControlPlaneAdmin(choice.admin ?? LOCAL_ADMIN) }], undefined);
    }
    const { Cluster } = await import("./cluster/cluster.ts");
    const cluster = await Cluster.connect(choice, terminal);
    try {
      return new ControlPlanes(await reachReplicas(cluster), cluster);
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** Of every pod that should have a sidecar, what the replica says that it is connected to. */
  async sidecars(): Promise<readonly SidecarStatus[]> {
    return mergeSidecars(await Promise.all(this.replicas.map(({ admin }) => admin.sidecars())));
  }

  /** What a pod's sidecar is meant to run, by the replica that it is connected to; undefined when no replica knows such a pod. */
  async intended(pod: string): Promise<readonly IntendedResource[] | undefined> {
    const asked = await Promise.all(
      this.replicas.map(async ({ admin }) => ({ admin, sidecar: (await admin.sidecars()).find(({ subscriber }) => subscriber === pod) })),
    );
    const serving = asked.toSorted((a, b) => streamAge(b.sidecar) - streamAge(a.sidecar))[0];
    return serving?.admin.intended(pod);
  }

  async explain(request: ExplainRequest): Promise<Explanation> {
    const [first] = this.replicas;
    if (first === undefined) throw noReplica();
    return first.admin.explain(request);
  }

  async close(): Promise<void> {
    await this.cluster?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Opens the admin port of every replica that is ready, or, while none is, of those that run. */
async function reachReplicas(cluster: Cluster): Promise<readonly Replica[]> {
  const running = await cluster.runningControlPlanePods();
  if (running.length === 0) throw noReplica();
  const ready = running.filter(isReady);
  const pods = ready.length > 0 ? ready : running;
  return Promise.all(
    pods.map(async ({ metadata: { name } }) => ({
      name,
      admin: new ControlPlaneAdmin(await cluster.openPort(SEAWALL.namespace, name, SEAWALL.adminPort), name),
    })),
  );
}

export interface ReachableReplicas {
  readonly replicas: readonly Replica[];
  /** Why there are none. */
  readonly trouble?: string;
}

/** For whoever goes on without replicas. */
export async function reachableReplicas(cluster: Cluster): Promise<ReachableReplicas> {
  try {
    return { replicas: await reachReplicas(cluster) };
  } catch (error) {
    return { replicas: [], trouble: error instanceof Error ? error.message : String(error) };
  }
}

function noReplica(): CommandFailure {
  return CommandFailure.failed(
    `no pod of the control plane runs in ${SEAWALL.namespace}. Is Seawall installed in this cluster? seawall check says more; --admin asks a standalone control plane.`,
  );
}

/** A sidecar has one stream, to one replica, or for a moment two; the newest tells. */
export function mergeSidecars(answers: readonly (readonly SidecarStatus[])[]): readonly SidecarStatus[] {
  const merged = new Map<string, SidecarStatus>();
  for (const status of answers.flat()) {
    const known = merged.get(status.subscriber);
    if (known === undefined || streamAge(status) > streamAge(known)) merged.set(status.subscriber, status);
  }
  return [...merged.values()].sort((a, b) => (a.subscriber < b.subscriber ? -1 : 1));
}

/** When its stream began; before all streams when it has none, and a certificate counts more than nothing. */
function streamAge(status: SidecarStatus | undefined): number {
  return status?.stream?.connectedAt ?? (status?.certificate === undefined ? -1 : 0);
}
