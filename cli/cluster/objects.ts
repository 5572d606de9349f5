/** The fields of Kubernetes objects that the commands read. The API server's own validation stands for their types. */

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly deletionTimestamp?: string;
}

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Metadata;
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state?: { readonly waiting?: { readonly reason?: string } };
}

export interface KubePod extends KubeObject {
  readonly spec: {
    readonly hostNetwork?: boolean;
    readonly containers: readonly { readonly name: string; readonly image?: string }[];
    readonly initContainers?: readonly { readonly name: string; readonly image?: string; readonly restartPolicy?: string }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface KubeDeployment extends KubeObject {
  readonly spec: { readonly replicas?: number };
  readonly status?: { readonly readyReplicas?: number; readonly updatedReplicas?: number };
}

export interface KubeLease extends KubeObject {
  readonly spec?: { readonly holderIdentity?: string; readonly renewTime?: string; readonly leaseDurationSeconds?: number };
}

export interface KubeConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export interface KubeWebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly {
    readonly name: string;
    readonly failurePolicy?: string;
    readonly clientConfig: { readonly caBundle?: string; readonly service?: { readonly namespace: string; readonly name: string } };
  }[];
}

export interface KubeCustomResourceDefinition extends KubeObject {
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
  };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** A policy, with what became of it. */
export interface KubePolicy extends KubeObject {
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** The names of the chart, of which there is one for each thing. */
export const SEAWALL = {
  namespace: "seawall-system",
  name: "seawall",
  selector: "app.kubernetes.io/name=seawall,app.kubernetes.io/component=control-plane",
  adminPort: 15014,
  injectionLabel: "seawall.dev/injection",
  injectedAnnotation: "seawall.dev/injected",
  injectAnnotation: "seawall.dev/inject",
  sidecarContainer: "seawall-proxy",
  /** Envoy's own admin port, on the pod's loopback. */
  sidecarAdminPort: 15000,
  lease: "seawall-leader",
  configMap: "seawall-config",
  trustConfigMap: "seawall-trust",
  trustKey: "ca.pem",
} as const;

export function hasSidecar(pod: KubePod): boolean {
  return pod.spec.initContainers?.some(({ name }) => name === SEAWALL.sidecarContainer) ?? false;
}

export function isRunning(pod: KubePod): boolean {
  return pod.status?.phase === "Running" && pod.metadata.deletionTimestamp === undefined;
}

export function isReady(pod: KubePod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}
