/** Services and EndpointSlices as a cluster writes them. */
import type { KubernetesObject } from "../../crds/core/object.ts";
import type { RunningPod } from "./redirected-mesh.ts";

export interface ServicePlan {
  readonly app: string;
  /** None for a headless service. */
  readonly addresses: readonly string[];
  readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: number }[];
}

export function serviceObject(name: string, { app, addresses, ports }: ServicePlan): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop" },
    spec: { selector: { app }, clusterIP: addresses[0] ?? "None", clusterIPs: addresses.length === 0 ? ["None"] : addresses, ports },
  };
}

/** One for each family. */
export function endpointSlices(service: string, plan: ServicePlan, pods: readonly RunningPod[]): KubernetesObject[] {
  const ports = plan.ports.map(({ name, targetPort }) => ({ name, port: targetPort, protocol: "TCP" }));
  return (["ipv4", "ipv6"] as const).map((family) => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${service}-${family}`, namespace: "shop", labels: { "kubernetes.io/service-name": service } },
    addressType: family === "ipv4" ? "IPv4" : "IPv6",
    ports,
    endpoints: pods.map(({ name, addresses }) => ({
      addresses: [addresses[family]],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: "Pod", namespace: "shop", name },
    })),
    spec: undefined,
  }));
}
