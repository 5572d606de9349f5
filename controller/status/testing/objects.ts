/** Objects as the API server has them, with UID and generation. */
import type { KubernetesObject } from "../../../crds/core/object.ts";

const NAMESPACE = "shop";

export interface PodPlan {
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly phase?: string;
  readonly address?: string;
}

/** An injected pod of the application that its labels name; `orders-1` is of `orders` unless they say otherwise. */
export function pod(name: string, plan: PodPlan = {}): KubernetesObject {
  const application = name.replace(/-\d+$/, "");
  const { uid = `uid-of-${name}`, labels = { app: application }, phase = "Running", address = addressOf(name) } = plan;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: NAMESPACE, name, uid, labels },
    spec: {
      serviceAccountName: application,
      initContainers: [{ name: "seawall-redirect" }, { name: "seawall-proxy", restartPolicy: "Always" }],
      containers: [{ name: "app", ports: [{ name: "http", containerPort: 8080 }] }],
    },
    status: { podIP: address, phase, conditions: [{ type: "Ready", status: "True" }] },
  } as KubernetesObject;
}

function addressOf(name: string): string {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.charCodeAt(0)) % 65_536;
  return `10.1.${hash >> 8}.${hash & 255}`;
}

export function service(name: string): KubernetesObject {
  const spec = { clusterIP: "10.2.0.1", selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: 8080 }] };
  return { apiVersion: "v1", kind: "Service", metadata: { namespace: NAMESPACE, name, uid: `uid-of-${name}` }, spec };
}

/** Lets `from` call a Service by GET. */
export function allow(name: string, target: string, from: string, generation = 1): KubernetesObject {
  return policy("AccessPolicy", name, generation, {
    targetRefs: [{ kind: "Service", name: target }],
    action: "Allow",
    rules: [{ name: "callers", from: [{ serviceAccounts: [from] }], to: [{ methods: ["GET"] }] }],
  });
}

export function policy(kind: string, name: string, generation: number, spec: object): KubernetesObject {
  const metadata = { namespace: NAMESPACE, name, uid: `uid-of-${kind}-${name}`, generation };
  return { apiVersion: "seawall.dev/v1alpha1", kind, metadata, spec };
}
