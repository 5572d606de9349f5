/** Is the control plane there, are its replicas ready and of one version, and does one of them lead? */
import type { Cluster } from "../cluster/cluster.ts";
import type { KubeDeployment, KubeLease, KubePod } from "../cluster/objects.ts";
import { isReady, SEAWALL } from "../cluster/objects.ts";
import { describeDuration } from "../duration.ts";
import { type Check, count, type Finding, findingsAbout, type Installation, isForbidden, some } from "./finding.ts";

const deploymentPath = `/apis/apps/v1/namespaces/${SEAWALL.namespace}/deployments/${SEAWALL.name}`;

export const controlPlaneCheck: Check = {
  area: "control plane",
  async look({ cluster, version, replicas, trouble }) {
    const { ok, warning, problem } = findingsAbout(this.area);
    const deployment = (await cluster.find(deploymentPath)) as KubeDeployment | undefined;
    if (deployment === undefined) {
      return [problem(`there is no Deployment ${SEAWALL.namespace}/${SEAWALL.name}`, "install it: helm install seawall ./helm")];
    }
    const pods = await cluster.controlPlanePods();
    const wanted = deployment.spec.replicas ?? 1;
    const ready = pods.filter(isReady).length;
    const installed = versionOf(deployment);
    const found: Finding[] = [];
    if (ready >= wanted) found.push(ok(`${ready} of ${count(wanted, "replica")} ready, version ${installed}`));
    else {
      const message = `${ready} of ${count(wanted, "replica")} ready: ${some(pods.filter((pod) => !isReady(pod)).map(whyNot)) || "no pod was made"}`;
      const next = `kubectl -n ${SEAWALL.namespace} describe pods -l app.kubernetes.io/component=control-plane`;
      found.push(ready === 0 ? problem(message, next) : warning(message, next));
    }
    if (wanted === 1)
      found.push(
        warning(
          "there is a single replica: while it is away no pod of a labelled namespace can start",
          "helm upgrade ... --set replicas=2",
        ),
      );
    const others = [...new Set(pods.map(versionOf).filter((other) => other !== installed))];
    if (others.length > 0)
      found.push(warning(`pods of version ${others.join(", ")} run beside version ${installed}`, "wait for the rollout to end"));
    if (installed !== version)
      found.push(warning(`this command is of version ${version}, the control plane of ${installed}`, "use a command of the same version"));
    const restarted = pods.filter((pod) => restarts(pod) > 0);
    for (const pod of restarted) {
      const next = `kubectl -n ${SEAWALL.namespace} logs ${pod.metadata.name} --previous`;
      found.push(warning(`${pod.metadata.name} was restarted ${count(restarts(pod), "time")}`, next));
    }
    if (ready > 0 && replicas.length === 0) {
      found.push(problem(`no replica could be asked: ${trouble ?? "no reason given"}`, "all that follows was found out without them"));
    }
    return found;
  },
};

export const leaderCheck: Check = {
  area: "leader",
  async look({ cluster, now }) {
    const { ok, warning, problem } = findingsAbout(this.area);
    const path = `/apis/coordination.k8s.io/v1/namespaces/${SEAWALL.namespace}/leases/${SEAWALL.lease}`;
    const lease = (await cluster.find(path)) as KubeLease | undefined;
    const holder = lease?.spec?.holderIdentity ?? "";
    const what = "statuses, trust bundles and webhooks are not kept up to date";
    if (holder === "") return [problem(`no replica leads: ${what}`, "see the control plane's log")];
    const pod = holder.split("_")[0] ?? holder;
    const age = now - Date.parse(lease?.spec?.renewTime ?? "");
    // Machines' clocks differ; a lease that is that old is nobody's.
    const patience = Math.max(3 * (lease?.spec?.leaseDurationSeconds ?? 15), 60) * 1_000;
    if (!(age < patience)) {
      return [problem(`${pod} led until ${describeDuration(age)} ago, and nobody since: ${what}`, "see the control plane's log")];
    }
    const pods = await cluster.controlPlanePods();
    if (!pods.some(({ metadata }) => metadata.name === pod)) return [warning(`${pod} led, and is gone; another replica takes over soon`)];
    return [ok(pod)];
  },
};

/** Every replica's readiness, in its own words. */
export const readinessCheck: Check = {
  area: "replicas",
  async look({ replicas, now }: Installation) {
    const { ok, warning, problem, unknown } = findingsAbout(this.area);
    const found: Finding[] = [];
    for (const { name, admin } of replicas) {
      const trouble = await admin.text("/readyz").then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      if (trouble !== undefined) found.push(problem(`${name} is not ready: ${trouble}`, `kubectl -n ${SEAWALL.namespace} logs ${name}`));
      const skew = await admin.time().then(
        (time) => time - now,
        () => 0,
      );
      if (Math.abs(skew) > 60_000) {
        const direction = skew > 0 ? "ahead of" : "behind";
        found.push(
          warning(
            `the clock of ${name} is ${describeDuration(skew)} ${direction} this machine's`,
            "set one of them: certificates and tokens depend on it",
          ),
        );
      }
    }
    if (replicas.length === 0) return [unknown("not looked at: no replica could be asked")];
    return found.length > 0
      ? found
      : [
          ok(
            `${replicas.length === 1 ? "1 replica answers, and its" : `${replicas.length} replicas answer, and their`} clocks agree with this machine's`,
          ),
        ];
  },
};

/** The version that is installed; undefined where there is none, or where it may not be seen. */
export async function installedVersion(cluster: Cluster): Promise<string | undefined> {
  try {
    const deployment = (await cluster.find(deploymentPath)) as KubeDeployment | undefined;
    return deployment === undefined ? undefined : versionOf(deployment);
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

function versionOf({ metadata }: KubeDeployment | KubePod): string {
  return metadata.labels?.["app.kubernetes.io/version"] ?? "unknown";
}

function restarts(pod: KubePod): number {
  return (pod.status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0);
}

function whyNot(pod: KubePod): string {
  const waiting = pod.status?.containerStatuses?.map(({ state }) => state?.waiting?.reason).find((reason) => reason !== undefined);
  const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False")?.message;
  return `${pod.metadata.name} (${waiting ?? unscheduled ?? pod.status?.phase ?? "no status"})`;
}
