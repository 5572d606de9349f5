/** Who is in the mesh, and who should be: pods without sidecar, or with an old one, in labelled namespaces. */
import { hasSidecar, type KubeObject, type KubePod, SEAWALL } from "../cluster/objects.ts";
import { installedVersion } from "./control-plane.ts";
import { type Check, count, type Finding, findingsAbout, some } from "./finding.ts";

const POD_SECURITY = "pod-security.kubernetes.io/enforce";

export const workloadsCheck: Check = {
  area: "workloads",
  async look({ cluster }) {
    const { ok, warning } = findingsAbout(this.area);
    const namespaces = await cluster.list<KubeObject>("/api/v1/namespaces", { labelSelector: `${SEAWALL.injectionLabel}=enabled` });
    if (namespaces.length === 0) {
      return [
        warning(
          "no namespace is in the mesh",
          `kubectl label namespace <namespace> ${SEAWALL.injectionLabel}=enabled, then restart what runs there`,
        ),
      ];
    }
    const version = await installedVersion(cluster);
    const found: Finding[] = [];
    let injected = 0;
    for (const { metadata } of namespaces) {
      const pods = (await cluster.list<KubePod>(`/api/v1/namespaces/${metadata.name}/pods`)).filter(counts);
      injected += pods.filter(hasSidecar).length;
      found.push(...podSecurity(metadata), ...missing(metadata.name, pods), ...outdated(metadata.name, pods, version));
    }
    return [ok(`${count(injected, "pod")} with sidecar in ${count(namespaces.length, "namespace")}`), ...found];
  },
};

function counts({ metadata, status }: KubePod): boolean {
  return metadata.deletionTimestamp === undefined && (status?.phase === "Running" || status?.phase === "Pending");
}

function podSecurity({ name, labels }: KubeObject["metadata"]): Finding[] {
  const { problem } = findingsAbout("workloads");
  const level = labels?.[POD_SECURITY];
  if (level !== "baseline" && level !== "restricted") return [];
  return [
    problem(
      `${name} enforces Pod Security's ${level} level, which refuses the sidecar's NET_ADMIN init container: no pod can start there`,
      "docs/tasks/pod-security.md says what can be done",
    ),
  ];
}

function missing(namespace: string, pods: readonly KubePod[]): Finding[] {
  const { warning } = findingsAbout("workloads");
  const without = pods.filter((pod) => !hasSidecar(pod));
  const hostNetwork = without.filter(({ spec }) => spec.hostNetwork === true).map(({ metadata }) => metadata.name);
  const expected = without.filter((pod) => pod.spec.hostNetwork !== true && !optedOut(pod)).map(({ metadata }) => metadata.name);
  const found: Finding[] = [];
  if (expected.length > 0) {
    const message = `${count(expected.length, "pod")} of ${namespace} without sidecar, outside of every policy: ${some(expected)}`;
    found.push(warning(message, `kubectl -n ${namespace} rollout restart deployment,statefulset,daemonset`));
  }
  if (hostNetwork.length > 0) {
    found.push(warning(`${some(hostNetwork)} of ${namespace} use the host's network, and so have no sidecar: no policy protects them`));
  }
  return found;
}

function optedOut({ metadata }: KubePod): boolean {
  return metadata.labels?.[SEAWALL.injectAnnotation] === "false" || metadata.annotations?.[SEAWALL.injectAnnotation] === "false";
}

function outdated(namespace: string, pods: readonly KubePod[], version: string | undefined): Finding[] {
  const { warning } = findingsAbout("workloads");
  const old = pods.filter((pod) => {
    const by = pod.metadata.annotations?.[SEAWALL.injectedAnnotation];
    return hasSidecar(pod) && by !== undefined && version !== undefined && by !== version;
  });
  if (old.length === 0) return [];
  const names = some(old.map(({ metadata }) => metadata.name));
  return [
    warning(
      `${count(old.length, "sidecar")} of ${namespace} of another version than the control plane (${version ?? ""}): ${names}`,
      `kubectl -n ${namespace} rollout restart deployment,statefulset,daemonset`,
    ),
  ];
}
