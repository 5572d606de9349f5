/** Service ports, who answers for them, and who may call them. */
import type { ServiceEndpoint } from "../../xds-server/envoy/cluster.ts";
import type { Collection, TransformContext } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { type EndpointSliceObject, SERVICE_NAME_LABEL } from "../model/kubernetes.ts";
import type { Pod } from "../model/pod.ts";
import type { PortProtocol } from "../model/protocol.ts";
import { selectorMatches, servicePortKey, type Service, type ServicePort, type ServicePortRef } from "../model/service.ts";
import type { SourceEntry } from "../model/source-entry.ts";
import { resolveTarget } from "../model/workload.ts";
import { EVERYONE } from "./audience.ts";
import type { WorkloadPolicies } from "./effective-policies.ts";
import type { Inventory } from "./inventory.ts";

/** What stands behind a service port. */
export interface Backend {
  readonly ref: ServicePortRef;
  readonly protocol: PortProtocol;
  /** Sorted by address and port. */
  readonly endpoints: readonly ServiceEndpoint[];
  /** The service accounts (`namespace/name`) that may answer, sorted. */
  readonly serviceAccounts: readonly string[];
  /** Who may call: `*`, `<namespace>/*` or `<namespace>/<service account>`, sorted. */
  readonly audience: readonly string[];
}

/** A pod port that answers for a service port. */
interface PodEndpoint {
  readonly pod: Pod;
  readonly port: number;
  /** Takes traffic now. One that does not still tells who may call. */
  readonly ready: boolean;
}

/** A port of a service, with the service that it is of. */
export interface ServicePortOf {
  readonly ref: ServicePortRef;
  readonly service: Service;
  readonly port: ServicePort;
}

/** By service port key. */
export function servicePorts(graph: Graph, services: Collection<string, Service>): Collection<string, ServicePortOf> {
  return graph.deriveMany("service-ports", services, (service) =>
    service.ports.map((port) => {
      const ref = { namespace: service.namespace, service: service.name, port: port.number };
      return [servicePortKey(ref), { ref, service, port }] as const;
    }),
  );
}

/** What stands behind every service port, by its key. */
export function serviceBackends(
  graph: Graph,
  inventory: Inventory,
  ports: Collection<string, ServicePortOf>,
  endpointSlices: Collection<string, SourceEntry>,
  policies: Collection<string, WorkloadPolicies>,
): Collection<string, Backend> {
  const slices = graph.derive("endpoint-slices", endpointSlices, (entry) => {
    const object = entry.state === "valid" ? entry.object : entry.lastGood;
    return object as unknown as EndpointSliceObject | undefined;
  });
  const slicesByService = graph.index("endpoint-slices-by-service", slices, (slice): string[] => {
    const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    return service === undefined ? [] : [`${slice.metadata.namespace ?? "default"}/${service}`];
  });
  const podsByAddress = graph.index("pods-by-address", inventory.pods, (pod) => [pod.address]);

  return graph.derive("service-backends", ports, ({ ref, service, port }, _key, context): Backend => {
    const found: PodEndpoint[] = [];
    const outside: ServiceEndpoint[] = [];
    const written = context.fetchIndex(slicesByService, service.key);
    if (written.length > 0) {
      for (const slice of written) {
        const number = slicePort(slice, port);
        if (number === undefined) continue;
        for (const endpoint of slice.endpoints ?? []) {
          const ready = endpoint.conditions?.ready !== false;
          for (const address of endpoint.addresses) {
            const pod = context.fetchIndex(podsByAddress, address)[0];
            if (pod !== undefined) found.push({ pod, port: number, ready });
            else if (ready) outside.push({ address, port: number, mesh: false });
          }
        }
      }
    } else {
      for (const pod of selectedPods(service, inventory, context)) {
        const number = resolveTarget(port.target, pod);
        if (number !== undefined) found.push({ pod, port: number, ready: pod.ready });
      }
    }
    return backend(ref, port, found, outside, inventory, policies, context);
  });
}

function slicePort(slice: EndpointSliceObject, port: ServicePort): number | undefined {
  const ports = slice.ports ?? [];
  const named = ports.find((candidate) => (candidate.name ?? "") === (port.name ?? ""));
  return (named ?? (ports.length === 1 ? ports[0] : undefined))?.port;
}

function selectedPods(service: Service, inventory: Inventory, context: TransformContext): readonly Pod[] {
  const { selector } = service;
  const pair = selector === undefined ? undefined : Object.entries(selector)[0];
  if (selector === undefined || pair === undefined) return [];
  return context.fetchIndexWhere(inventory.podsByLabel, `${service.namespace}|${pair[0]}=${pair[1]}`, (pod) =>
    selectorMatches(selector, pod.labels),
  );
}

function backend(
  ref: ServicePortRef,
  port: ServicePort,
  found: readonly PodEndpoint[],
  outside: readonly ServiceEndpoint[],
  inventory: Inventory,
  policies: Collection<string, WorkloadPolicies>,
  context: TransformContext,
): Backend {
  const endpoints: ServiceEndpoint[] = [...outside];
  const accounts = new Set<string>();
  const audience = new Set<string>(outside.length > 0 ? [EVERYONE] : []);
  for (const { pod, port: number, ready } of found) {
    const workload = context.fetch(inventory.workloadOfPod, pod.key);
    const policy =
      workload === undefined
        ? undefined
        : context.fetch(policies, workload.key)?.ports.find((candidate) => candidate.port.number === number);
    accounts.add(`${pod.namespace}/${pod.serviceAccount}`);
    if (ready)
      endpoints.push({
        address: pod.address,
        port: number,
        mesh: pod.injected && policy?.tls.mode !== "Disable",
      });
    // A pod without a sidecar has nobody to refuse for it: it hides from nobody either.
    for (const caller of policy?.audience ?? [EVERYONE]) audience.add(caller);
  }
  return {
    ref,
    protocol: port.protocol,
    endpoints: endpoints.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port)),
    serviceAccounts: [...accounts].sort(),
    audience: audience.has(EVERYONE) ? [EVERYONE] : [...audience].sort(),
  };
}
