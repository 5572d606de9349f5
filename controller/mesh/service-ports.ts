/** Service ports, who answers for them, and who may call them. */
import { isIPv6 } from "node:net";
import type { ServiceEndpoint } from "../../xds-server/envoy/cluster.ts";
import type { Collection, TransformContext } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { type EndpointSliceObject, SERVICE_NAME_LABEL } from "../model/kubernetes.ts";
import type { DataPlane } from "../model/data-plane.ts";
import type { Pod } from "../model/pod.ts";
import { policyProtocol, type PortProtocol } from "../model/protocol.ts";
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
  readonly traffic: Traffic;
  /** Callers know the addresses of the pods, and call those. */
  readonly headless: boolean;
  /** Sorted by address and port. */
  readonly endpoints: readonly ServiceEndpoint[];
  /** The service accounts (`namespace/name`) that may answer, sorted. */
  readonly serviceAccounts: readonly string[];
  /** Who may call: `*`, `<namespace>/*` or `<namespace>/<service account>`, sorted. */
  readonly audience: readonly string[];
}

/** Takes traffic now; or only when no other does, since it is about to end; or not. One that does not still tells who may call. */
type Readiness = "ready" | "ending" | "not ready";

/** A pod port that answers for a service port. */
interface PodEndpoint {
  readonly pod: Pod;
  readonly address: string;
  readonly port: number;
  readonly readiness: Readiness;
}

/** An address that is no pod's. */
interface OutsideEndpoint {
  readonly address: string;
  readonly port: number;
  readonly readiness: Readiness;
}

/** A port of a service, with the service that it is of. */
export interface ServicePortOf {
  readonly ref: ServicePortRef;
  readonly service: Service;
  readonly port: ServicePort;
  readonly traffic: Traffic;
}

/** What is said to a port: requests, or bytes; or, where nobody declared it, whichever each connection turns out to be. */
export type Traffic = "requests" | "bytes" | "detected";

/** By service port key. */
export function servicePorts(graph: Graph, services: Collection<string, Service>, dataPlane: DataPlane): Collection<string, ServicePortOf> {
  return graph.deriveMany("service-ports", services, (service) =>
    service.ports.map((port) => {
      const ref = { namespace: service.namespace, service: service.name, port: port.number };
      return [servicePortKey(ref), { ref, service, port, traffic: trafficOf(port, dataPlane) }] as const;
    }),
  );
}

function trafficOf(port: ServicePort, dataPlane: DataPlane): Traffic {
  if (dataPlane.kind === "kubernetes" && !port.declared) return "detected";
  return policyProtocol(port.protocol) === "TCP" ? "bytes" : "requests";
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
  // Pods on the host's network share its address with each other, and with what is no pod at all.
  const podsByAddress = graph.index("pods-by-address", inventory.pods, (pod) => (pod.hostNetwork ? [] : pod.addresses));

  return graph.derive("service-backends", ports, (of, _key, context): Backend => {
    const { service, port } = of;
    const found: PodEndpoint[] = [];
    const outside: OutsideEndpoint[] = [];
    const written = context.fetchIndex(slicesByService, service.key);
    if (written.length > 0) {
      for (const slice of written) {
        const number = slicePort(slice, port);
        if (number === undefined || !isOfService(slice, service)) continue;
        for (const endpoint of slice.endpoints ?? []) {
          const readiness = readinessOf(endpoint);
          for (const address of endpoint.addresses) {
            const pod = podOf(endpoint, address, slice, context);
            if (pod === "outside") outside.push({ address, port: number, readiness });
            else if (pod !== "not known yet") found.push({ pod, address, port: number, readiness });
          }
        }
      }
    } else {
      for (const pod of selectedPods(service, inventory, context)) {
        const number = resolveTarget(port.target, pod);
        if (number === undefined) continue;
        found.push({ pod, address: pod.address, port: number, readiness: pod.ready ? "ready" : "not ready" });
      }
    }
    return backend(of, found, outside, inventory, policies, context);
  });

  /** An endpoint that says it is a pod is that pod and nothing else: until the pod is known it takes no traffic. */
  function podOf(
    endpoint: SliceEndpoint,
    address: string,
    slice: EndpointSliceObject,
    context: TransformContext,
  ): Pod | "outside" | "not known yet" {
    const { kind, namespace = slice.metadata.namespace ?? "default", name } = endpoint.targetRef ?? {};
    if (kind !== "Pod" || name === undefined) return context.fetchIndex(podsByAddress, address)[0] ?? "outside";
    const pod = context.fetch(inventory.pods, `${namespace}/${name}`);
    return pod?.addresses.includes(address) === true ? pod : "not known yet";
  }
}

type SliceEndpoint = NonNullable<EndpointSliceObject["endpoints"]>[number];

function readinessOf({ conditions }: SliceEndpoint): Readiness {
  if (conditions?.ready !== false) return "ready";
  return conditions.serving === true && conditions.terminating === true ? "ending" : "not ready";
}

/** A pod with two addresses stands in a slice of each family. Its service leads to those of its own first one. */
function isOfService({ addressType }: EndpointSliceObject, service: Service): boolean {
  if (addressType === "FQDN") return false;
  const [first] = service.addresses;
  if (first === undefined || addressType === undefined) return true;
  return addressType === (isIPv6(first) ? "IPv6" : "IPv4");
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
  { ref, service, port, traffic }: ServicePortOf,
  found: readonly PodEndpoint[],
  outside: readonly OutsideEndpoint[],
  inventory: Inventory,
  policies: Collection<string, WorkloadPolicies>,
  context: TransformContext,
): Backend {
  const candidates: { readonly endpoint: ServiceEndpoint; readonly readiness: Readiness }[] = outside
    .filter(({ readiness }) => readiness !== "not ready")
    .map(({ address, port: number, readiness }) => ({ endpoint: { address, port: number, mesh: false }, readiness }));
  const accounts = new Set<string>();
  const audience = new Set<string>(candidates.length > 0 ? [EVERYONE] : []);
  for (const { pod, address, port: number, readiness } of found) {
    const workload = context.fetch(inventory.workloadOfPod, pod.key);
    const policy =
      workload === undefined
        ? undefined
        : context.fetch(policies, workload.key)?.ports.find((candidate) => candidate.port.number === number);
    accounts.add(`${pod.namespace}/${pod.serviceAccount}`);
    const mesh = pod.injected && !pod.excludedPorts.includes(number) && policy?.tls.mode !== "Disable";
    candidates.push({ endpoint: { address, port: number, mesh }, readiness });
    // A port without a sidecar has nobody to refuse for it: it hides from nobody either.
    for (const caller of policy?.audience ?? [EVERYONE]) audience.add(caller);
  }
  const ofReadiness = (wanted: Readiness): ServiceEndpoint[] =>
    candidates.filter(({ readiness }) => readiness === wanted).map(({ endpoint }) => endpoint);
  const ready = ofReadiness("ready");
  return {
    ref,
    protocol: port.protocol,
    traffic,
    headless: service.headless,
    endpoints: (ready.length > 0 ? ready : ofReadiness("ending")).sort(byAddress),
    serviceAccounts: [...accounts].sort(),
    audience: audience.has(EVERYONE) ? [EVERYONE] : [...audience].sort(),
  };
}

function byAddress(a: ServiceEndpoint, b: ServiceEndpoint): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port;
}
