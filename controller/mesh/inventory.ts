/** What there is: namespaces, pods, services, and the workloads that pods form. */
import type { KubernetesObject } from "../../crds/core/object.ts";
import type { Collection, Index } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import type { DataPlane } from "../model/data-plane.ts";
import type { NamespaceObject, PodObject, ServiceObject } from "../model/kubernetes.ts";
import { type Pod, readPod } from "../model/pod.ts";
import { readService, selectorMatches, type Service } from "../model/service.ts";
import type { SourceEntry } from "../model/source-entry.ts";
import { type Workload, workloadOf } from "../model/workload.ts";

export interface Inventory {
  /** Labels by namespace name. A namespace without an object has none. */
  readonly namespaceLabels: Collection<string, Readonly<Record<string, string>>>;
  /** By `namespace/name`. */
  readonly pods: Collection<string, Pod>;
  readonly services: Collection<string, Service>;
  readonly servicesByNamespace: Index<string, string, Service>;
  /** Pods by `namespace|label=value`, for selectors. */
  readonly podsByLabel: Index<string, string, Pod>;
  /** The workload of every pod that has a sidecar. */
  readonly workloadOfPod: Collection<string, Workload>;
  /** By workload key. */
  readonly workloads: Collection<string, Workload>;
}

/** The object of an entry that may go on being used: a broken one keeps its last good state, since nothing depends on it for safety. */
function usable(entry: SourceEntry): KubernetesObject | undefined {
  return entry.state === "valid" ? entry.object : entry.lastGood;
}

/** `source` gives the source collection of a kind; `labelKeys` are the label keys that policies select pods by. */
export function inventory(
  graph: Graph,
  source: (kind: string) => Collection<string, SourceEntry>,
  labelKeys: Collection<string, readonly string[]>,
  dataPlane: DataPlane,
): Inventory {
  const byObjectKey = <T extends { readonly key: string }>(
    name: string,
    kind: string,
    read: (entry: SourceEntry) => T | undefined,
  ): Collection<string, T> =>
    graph.deriveMany(name, source(kind), (entry): Iterable<readonly [string, T]> => {
      const value = read(entry);
      return value === undefined ? [] : [[value.key, value]];
    });

  const namespaceLabels = graph.deriveMany(
    "namespace-labels",
    source("Namespace"),
    (entry): Iterable<readonly [string, Readonly<Record<string, string>>]> => {
      const object = usable(entry) as NamespaceObject | undefined;
      return object === undefined ? [] : [[object.metadata.name, object.metadata.labels ?? {}]];
    },
  );
  const pods = byObjectKey("pods", "Pod", (entry) => {
    const object = usable(entry) as PodObject | undefined;
    return object === undefined ? undefined : readPod(object, dataPlane);
  });
  const services = byObjectKey("services", "Service", (entry) => {
    const object = usable(entry) as ServiceObject | undefined;
    return object === undefined ? undefined : readService(object);
  });
  const servicesByNamespace = graph.index("services-by-namespace", services, (service) => [service.namespace]);
  const podsByLabel = graph.index("pods-by-label", pods, (pod) =>
    Object.entries(pod.labels).map(([key, value]) => `${pod.namespace}|${key}=${value}`),
  );

  const serviceLabelKeys = graph.derive("service-label-keys", services, (service) =>
    service.selector === undefined ? undefined : Object.keys(service.selector).sort(),
  );
  const relevantLabels = graph.singleton("relevant-labels", (context) => {
    const keys = [...context.fetchAll(serviceLabelKeys), ...context.fetchAll(labelKeys)].flat();
    return [...new Set(keys)].sort();
  });

  const workloadOfPod = graph.derive("workload-of-pod", pods, (pod, _key, context) => {
    if (!pod.injected) return undefined;
    const leading = context.fetchIndexWhere(
      servicesByNamespace,
      pod.namespace,
      (service) => service.selector !== undefined && selectorMatches(service.selector, pod.labels),
    );
    return workloadOf(pod, leading, new Set(context.fetch(relevantLabels, "singleton") ?? []), dataPlane);
  });
  const podsOfWorkload = graph.index("pods-of-workload", workloadOfPod, (workload) => [workload.key]);
  const workloads = graph.derive("workloads", graph.groups("workload-groups", podsOfWorkload), (members) => members[0]);

  return { namespaceLabels, pods, services, servicesByNamespace, podsByLabel, workloadOfPod, workloads };
}
