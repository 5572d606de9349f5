/** Services and pods that policies speak of and the input lacks, so that one policy alone can be translated. */
import type { KubernetesObject } from "../../crds/core/object.ts";
import { protocolOfRoutes } from "../../crds/core/route/services.ts";
import type { MeshRoute } from "../../crds/routes.ts";
import type { Mesh } from "../../controller/mesh/mesh.ts";
import type { ServiceObject, ServicePortSpec } from "../../controller/model/kubernetes.ts";

const LABEL = "seawall.dev/assumed";
const CONTAINER_PORT = 8080;

/** What has to be assumed for the mesh's policies and routes. */
export function standIns(mesh: Mesh, routes: readonly MeshRoute[]): readonly KubernetesObject[] {
  const { services, pods } = mesh.inventory;
  const missing = new Set<string>();
  const namespaces = new Set<string>();
  const labelled: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> }[] = [];
  for (const [, { scopes, metadata }] of mesh.policies.all.entries()) {
    const namespace = metadata.namespace ?? "default";
    for (const scope of scopes) {
      if (scope.kind === "service") missing.add(scope.service);
      else if (scope.kind === "pods") labelled.push({ namespace: scope.namespace ?? namespace, labels: scope.pods.matchLabels ?? {} });
      else namespaces.add(scope.namespace ?? namespace);
    }
  }
  const ports = new Map<string, Map<number, ServicePortSpec>>();
  for (const { kind, metadata, spec } of routes) {
    const tcp = protocolOfRoutes(kind) === "TCP" ? { appProtocol: "tcp" } : {};
    const refs = [...(spec.parentRefs ?? []), ...(spec.rules ?? []).flatMap(({ backendRefs = [] }) => backendRefs)];
    for (const { namespace = metadata.namespace ?? "default", name, port = 80 } of refs) {
      const key = `${namespace}/${name}`;
      missing.add(key);
      const known = ports.get(key) ?? new Map<number, ServicePortSpec>();
      ports.set(key, known.set(port, { name: `port-${port}`, port, targetPort: "http", ...tcp }));
    }
  }
  const isHere = (namespace: string, labels: Readonly<Record<string, string>>): boolean =>
    [...pods.entries()].some(
      ([, pod]) => pod.namespace === namespace && Object.entries(labels).every(([key, value]) => pod.labels[key] === value),
    );
  const assumed: KubernetesObject[] = [];
  for (const key of [...missing].sort()) {
    if (services.has(key)) continue;
    const [namespace = "", name = ""] = key.split("/");
    assumed.push(
      service(namespace, name, [...(ports.get(key)?.values() ?? [HTTP_PORT])]),
      pod(namespace, name, { [LABEL]: name }, assumed.length),
    );
    namespaces.delete(namespace);
  }
  for (const { namespace, labels } of labelled) {
    if (!isHere(namespace, labels)) assumed.push(pod(namespace, "selected", labels, assumed.length));
  }
  for (const namespace of [...namespaces].sort()) {
    if (!isHere(namespace, {})) assumed.push(pod(namespace, "any", {}, assumed.length));
  }
  return assumed;
}

const HTTP_PORT: ServicePortSpec = { name: "http", port: 80, targetPort: "http" };

function service(namespace: string, name: string, ports: readonly ServicePortSpec[]): KubernetesObject {
  const spec = { selector: { [LABEL]: name }, ports };
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec };
}

/** The ports of an assumed Service. */
export function assumedPorts(assumed: KubernetesObject): readonly number[] {
  return (assumed as ServiceObject & KubernetesObject).spec?.ports?.map(({ port }) => port) ?? [];
}

function pod(namespace: string, name: string, labels: Readonly<Record<string, string>>, index: number): KubernetesObject {
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `${name}-assumed`, namespace, labels },
    spec: { serviceAccountName: name, containers: [{ name: "app", ports: [{ name: "http", containerPort: CONTAINER_PORT }] }] },
    status: { podIP: `127.255.0.${(index % 250) + 1}` },
  };
  return object;
}
