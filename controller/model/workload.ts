import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import type { CalledPort } from "../../crds/core/request.ts";
import type { DataPlane } from "./data-plane.ts";
import type { Pod } from "./pod.ts";
import { declaredProtocol, policyProtocol, type PortProtocol } from "./protocol.ts";
import type { Service } from "./service.ts";

/** A port of a workload, with the services that lead to it. */
export interface WorkloadPort {
  readonly number: number;
  readonly name?: string;
  readonly protocol: PortProtocol;
  /** Nobody declared the protocol, so each connection is looked at: one that is not HTTP is a stream of bytes. */
  readonly detected?: true;
  /** Keys (`namespace/name`) of the services that route to this port, sorted. */
  readonly services: readonly string[];
}

/** Stands for all ports that a workload does not declare: what is redirected to its sidecar there is a stream of bytes. */
export const UNDECLARED_PORTS: WorkloadPort = { number: 0, protocol: "tcp", services: [] };

/**
 * Pods that agree in everything a policy can ask about: namespace, service account, the labels that some policy or
 * service selects by, ports and services. Its inbound configuration is computed and encoded once for all of them.
 */
export interface Workload {
  readonly key: string;
  readonly namespace: string;
  /** What people call it: the app label, else the service account. */
  readonly name: string;
  readonly serviceAccount: string;
  /** Only the labels that are selected by. */
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly WorkloadPort[];
  /** Its pods have addresses of IPv6, besides or instead of those of IPv4. */
  readonly ipv6?: true;
}

/** What people call the workload of a pod: the app label, else the service account. */
export function workloadName(labels: Readonly<Record<string, string>>, serviceAccount: string): string {
  return labels["app.kubernetes.io/name"] ?? labels["app"] ?? serviceAccount;
}

/** Finds the workload that a pod belongs to. `services` are those whose selector matches the pod; `labelKeys` those that matter. */
export function workloadOf(pod: Pod, services: readonly Service[], labelKeys: ReadonlySet<string>, dataPlane: DataPlane): Workload {
  const labels: Record<string, string> = {};
  for (const key of Object.keys(pod.labels).sort()) {
    const value = pod.labels[key];
    if (value !== undefined && labelKeys.has(key)) labels[key] = value;
  }
  const workload = {
    namespace: pod.namespace,
    name: workloadName(pod.labels, pod.serviceAccount),
    serviceAccount: pod.serviceAccount,
    labels,
    ports: workloadPorts(pod, services, dataPlane.kind === "kubernetes"),
    ...(pod.addresses.some(isIPv6) ? { ipv6: true as const } : {}),
  };
  const hash = createHash("sha256").update(JSON.stringify(workload)).digest("hex").slice(0, 10);
  return { key: `${workload.namespace}/${workload.name}/${hash}`, ...workload };
}

function workloadPorts(pod: Pod, services: readonly Service[], detects: boolean): WorkloadPort[] {
  const excluded = new Set(pod.excludedPorts);
  const names = new Map<number, string | undefined>(pod.ports.map((port) => [port.number, port.name]));
  const leading = new Map<number, { services: Set<string>; declared?: PortProtocol }>();
  for (const service of services) {
    for (const port of service.ports) {
      const number = resolveTarget(port.target, pod);
      if (number === undefined) continue;
      if (!names.has(number)) names.set(number, undefined);
      const found = leading.get(number) ?? { services: new Set<string>() };
      found.services.add(service.key);
      // Two services may disagree about one port; the first by name is as good as any, and stays put.
      if (port.declared) found.declared ??= port.protocol;
      leading.set(number, found);
    }
  }
  return [...names]
    .filter(([number]) => !excluded.has(number))
    .sort(([a], [b]) => a - b)
    .map(([number, name]): WorkloadPort => {
      const declared = leading.get(number)?.declared ?? declaredProtocol({ name });
      return {
        number,
        ...(name === undefined ? {} : { name }),
        protocol: declared ?? "http1",
        ...(detects && declared === undefined ? { detected: true } : {}),
        services: [...(leading.get(number)?.services ?? [])].sort(),
      };
    });
}

/** The container port behind a service's `targetPort`. */
export function resolveTarget(target: number | string, pod: Pod): number | undefined {
  return typeof target === "number" ? target : pod.ports.find((port) => port.name === target)?.number;
}

/** A port in the words of the policies. */
export function calledPort(port: WorkloadPort): CalledPort {
  return { number: port.number, ...(port.name === undefined ? {} : { name: port.name }), protocol: policyProtocol(port.protocol) };
}
