/** The Service by which pods reach CoreDNS, which runs on the node itself. */
import { stringify } from "yaml";
import { DNS_SERVICE, NODE_IPV4 } from "./network.ts";

const metadata = { name: "kube-dns", namespace: "kube-system", labels: { "k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS" } };

export function clusterDns(): string {
  const ports = ["UDP", "TCP"].map((protocol) => ({ name: `dns-${protocol.toLowerCase()}`, port: 53, protocol }));
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { clusterIP: DNS_SERVICE, ports: ports.map((port) => ({ ...port, targetPort: 53 })) },
  };
  const endpoints = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { ...metadata, labels: { ...metadata.labels, "kubernetes.io/service-name": metadata.name } },
    addressType: "IPv4",
    ports,
    endpoints: [{ addresses: [NODE_IPV4], conditions: { ready: true } }],
  };
  return [service, endpoints].map((object) => stringify(object)).join("---\n");
}
