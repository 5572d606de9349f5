/** Services and pods that policies speak of and the input lacks, so that one policy alone can be translated. */
import type { KubernetesObject } from "../../crds/core/object.ts";
import type { HttpRoute } from "../../crds/http-route/index.ts";
import type { Mesh } from "../../controller/mesh/mesh.ts";

const LABEL = "seawall.dev/assumed";
const CONTAINER_PORT = 8080;

/** What has to be assumed for the mesh's policies and routes. */
export function standIns(mesh: Mesh, routes: readonly HttpRoute[]): readonly KubernetesObject[] {
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
  for (const { metadata, spec } of routes) {
    const namespace = metadata.namespace ?? "default";
    for (const { name } of spec.parentRefs ?? []) missing.add(`${namespace}/${name}`);
    for (const { backendRefs = [] } of spec.rules ?? []) for (const { name } of backendRefs) missing.add(`${namespace}/${name}`);
  }
  const isHere = (namespace: string, labels: Readonly<Record<string, string>>): boolean =>
    [...pods.entries()].some(
      ([, pod]) => pod.namespace === namespace && Object.entries(labels).every(([key, value]) => pod.labels[key] === value),
    );
  const assumed: KubernetesObject[] = [];
  for (const key of [...missing].sort()) {
    if (services.has(key)) continue;
    const [namespace = "", name = ""] = key.split("/");
    assumed.push(service(namespace, name), pod(namespace, name, { [LABEL]: name }, assumed.length));
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

function service(namespace: string, name: string): KubernetesObject {
  const spec = { selector: { [LABEL]: name }, ports: [{ name: "http", port: 80, targetPort: "http" }] };
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec };
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
