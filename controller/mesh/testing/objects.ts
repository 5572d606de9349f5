/** Short ways to write the objects that tests of the mesh are made of. */
import type { KubernetesObject } from "../../../crds/core/object.ts";

const API = "seawall.dev/v1alpha1";

export function pod(
  name: string,
  address: string,
  options: {
    account?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    namespace?: string;
    ready?: boolean;
  } = {},
): KubernetesObject {
  const { account = name, labels = { app: name }, namespace = "shop", annotations, ready = true } = options;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels, ...(annotations === undefined ? {} : { annotations }) },
    spec: { serviceAccountName: account, containers: [{ name: "app", ports: [{ name: "http", containerPort: 8080 }] }] },
    status: { podIP: address, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  } as KubernetesObject;
}

export function service(
  name: string,
  selector: Record<string, string> = { app: name },
  options: { namespace?: string; appProtocol?: string } = {},
): KubernetesObject {
  const { namespace = "shop", appProtocol } = options;
  const port = { name: "http", port: 80, targetPort: "http", ...(appProtocol === undefined ? {} : { appProtocol }) };
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec: { selector, ports: [port] } };
}

export function namespace(name: string, labels: Record<string, string> = {}): KubernetesObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels }, spec: {} };
}

export function policy(kind: string, name: string, spec: object): KubernetesObject {
  return { apiVersion: API, kind, metadata: { name, namespace: "shop" }, spec };
}

/** An object of a cluster-scoped kind. */
export function clusterPolicy(kind: string, name: string, spec: object): KubernetesObject {
  return { apiVersion: API, kind, metadata: { name }, spec };
}

/** Lets `from` (service accounts) call `target` by GET. */
export function allow(name: string, target: string, from: readonly string[]): KubernetesObject {
  return policy("AccessPolicy", name, {
    targetRefs: [{ kind: "Service", name: target }],
    action: "Allow",
    rules: [{ name: "callers", from: [{ serviceAccounts: [...from] }], to: [{ methods: ["GET"] }] }],
  });
}
