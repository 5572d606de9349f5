import { createHash } from "node:crypto";
import type { CalledPort } from "../../crds/core/request.ts";
import type { Pod } from "./pod.ts";
import { policyProtocol, type PortProtocol, protocolOf } from "./protocol.ts";
import type { Service } from "./service.ts";

/** A port of a workload, with the services that lead to it. */
export interface WorkloadPort {
  readonly number: number;
  readonly name?: string;
  readonly protocol: PortProtocol;
  /** Keys (`namespace/name`) of the services that route to this port, sorted. */
  readonly services: readonly string[];
}

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
}

/** Finds the workload that a pod belongs to. `services` are those whose selector matches the pod; `labelKeys` those that matter. */
export function workloadOf(pod: Pod, services: readonly Service[], labelKeys: ReadonlySet<string>): Workload {
  const labels: Record<string, string> = {};
  for (const key of Object.keys(pod.labels).sort()) {
    const value = pod.labels[key];
    if (value !== undefined && labelKeys.has(key)) labels[key] = value;
  }
  const workload = {
    namespace: pod.namespace,
    name: pod.labels["app.kubernetes.io/name"] ?? pod.labels["app"] ?? pod.serviceAccount,
    serviceAccount: pod.serviceAccount,
    labels,
    ports: workloadPorts(pod, services),
  };
  const hash = createHash("sha256").update(JSON.stringify(workload)).digest("hex").slice(0, 10);
  return { key: `${workload.namespace}/${workload.name}/${hash}`, ...workload };
}

function workloadPorts(pod: Pod, services: readonly Service[]): WorkloadPort[] {
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
    .sort(([a], [b]) => a - b)
    .map(([number, name]) => ({
      number,
      ...(name === undefined ? {} : { name }),
      protocol: leading.get(number)?.declared ?? protocolOf({ name }),
      services: [...(leading.get(number)?.services ?? [])].sort(),
    }));
}

/** The container port behind a service's `targetPort`. */
export function resolveTarget(target: number | string, pod: Pod): number | undefined {
  return typeof target === "number" ? target : pod.ports.find((port) => port.name === target)?.number;
}

/** A port in the words of the policies. */
export function calledPort(port: WorkloadPort): CalledPort {
  return { number: port.number, ...(port.name === undefined ? {} : { name: port.name }), protocol: policyProtocol(port.protocol) };
}
