/** A generated mesh as objects of an API server: as many of each as a folder would hold, and as large as in a cluster. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parse, parseAllDocuments } from "yaml";
import { type KubernetesApi, KubernetesApiError } from "../../controller/kubernetes/api.ts";
import type { GeneratedMesh } from "../generated-mesh.ts";

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: { readonly podIP: string; readonly conditions: readonly { readonly status: string }[] };
}

const CRDS = join(import.meta.dirname, "../../helm/files/crds");
const AT_ONCE = 16;
const PLURALS: Readonly<Record<string, string>> = {
  Namespace: "namespaces",
  ServiceAccount: "serviceaccounts",
  Service: "services",
  EndpointSlice: "endpointslices",
  Pod: "pods",
};

/** Gives the number of objects. */
export async function createMesh(api: KubernetesApi, mesh: GeneratedMesh): Promise<number> {
  const plurals = await installCrds(api);
  const pathOf = ({ apiVersion, kind, metadata: { namespace } }: Manifest): string => {
    const plural = PLURALS[kind] ?? plurals.get(kind);
    if (plural === undefined) throw new Error(`no path of kind ${kind} is known`);
    const group = `${apiVersion.includes("/") ? "/apis" : "/api"}/${apiVersion}`;
    return namespace === undefined ? `${group}/${plural}` : `${group}/namespaces/${namespace}/${plural}`;
  };
  const manifests = [...mesh.files.values()].flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest));
  const namespaces = manifests.filter(({ kind }) => kind === "Namespace");
  const pods = manifests.filter(({ kind }) => kind === "Pod");
  const others = manifests.filter(({ kind }) => kind !== "Namespace" && kind !== "Pod");
  const create = async (manifest: Manifest): Promise<void> => {
    await api.create({ path: pathOf(manifest) }, manifest);
  };
  await all([{ ...namespaceNamed("seawall-system") }, ...namespaces], create);
  await all([...others, ...slicesOf(pods)], create);
  await all(pods, async (pod) => {
    await create(injected(pod));
    const path = `${pathOf(pod)}/${pod.metadata.name}/status`;
    await api.patch({ path }, "application/merge-patch+json", { status: statusOf(pod) });
  });
  return manifests.length + 1 + slicesOf(pods).length;
}

/** Gives the path's last part by kind. */
async function installCrds(api: KubernetesApi): Promise<ReadonlyMap<string, string>> {
  const plurals = new Map<string, string>();
  for (const file of readdirSync(CRDS)) {
    const definition = parse(readFileSync(join(CRDS, file), "utf8")) as {
      readonly spec: {
        readonly group: string;
        readonly versions: readonly { readonly name: string }[];
        readonly names: { readonly kind: string; readonly plural: string };
      };
    };
    const { group, names, versions } = definition.spec;
    await api.create({ path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions" }, definition);
    plurals.set(names.kind, names.plural);
    const path = `/apis/${group}/${versions[0]?.name}/${names.plural}`;
    while (!(await isThere(api, path))) await pause(100);
  }
  return plurals;
}

async function isThere(api: KubernetesApi, path: string): Promise<boolean> {
  try {
    await api.get({ path, query: { limit: "1" } });
    return true;
  } catch (error) {
    if (error instanceof KubernetesApiError && error.status === 404) return false;
    throw error;
  }
}

async function all<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}

function namespaceNamed(name: string): Manifest {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}

/** The generated addresses are of the loopback, which no endpoint may have. */
function addressOf({ status }: Manifest): string {
  return (status?.podIP ?? "").replace(/^127\./, "10.");
}

/** What the controller manager makes of Services and pods. */
function slicesOf(pods: readonly Manifest[]): readonly Manifest[] {
  const byService = Map.groupBy(pods, ({ metadata }) => `${metadata.namespace}/${metadata.labels?.["app"]}`);
  return [...byService].map(([service, members]) => {
    const [namespace = "", name = ""] = service.split("/");
    return {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-x7k2p`, namespace, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      endpoints: members.map((pod) => ({
        addresses: [addressOf(pod)],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: "node-1",
        targetRef: { kind: "Pod", namespace, name: pod.metadata.name },
      })),
    };
  });
}

/** As large as a pod is after the injector, the scheduler and the kubelet have written to it: some 10 KB. */
function injected(pod: Manifest): Manifest {
  const mounts = ["token", "trust", "bootstrap", "config"].map((name) => ({ name: `seawall-${name}`, mountPath: `/etc/seawall/${name}` }));
  const sidecar = (name: string, more: object): object => ({
    name,
    image: "seawall/sidecar:0.1.0",
    env: ["POD_NAME", "POD_NAMESPACE", "POD_UID", "POD_IP", "NODE_NAME"].map((variable) => ({
      name: variable,
      value: `value-of-${variable}`,
    })),
    volumeMounts: mounts,
    resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "256Mi" } },
    securityContext: { runAsNonRoot: true, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    ...more,
  });
  const containers = (pod.spec?.["containers"] ?? []) as readonly object[];
  return {
    ...pod,
    spec: {
      ...pod.spec,
      nodeName: "node-1",
      initContainers: [
        sidecar("seawall-redirect", { args: ["redirect"] }),
        sidecar("seawall-proxy", { restartPolicy: "Always", startupProbe: { httpGet: { path: "/ready", port: 15021 } } }),
      ],
      containers: containers.map((container) => ({
        image: "shop/app:1",
        env: Array.from({ length: 12 }, (_, index) => ({ name: `SETTING_${index}`, value: `the value of setting ${index}` })),
        ...container,
      })),
      volumes: mounts.map(({ name }) => ({ name, emptyDir: {} })),
    },
  };
}

function statusOf(pod: Manifest): object {
  const since = "2026-11-21T00:00:00Z";
  const condition = (type: string, status = "True"): object => ({ type, status, lastTransitionTime: since });
  const container = (name: string): object => ({
    name,
    ready: true,
    restartCount: 0,
    started: true,
    image: "registry.example/shop/app:1",
    imageID: `registry.example/shop/app@sha256:${"0".repeat(64)}`,
    containerID: `containerd://${"0".repeat(64)}`,
    state: { running: { startedAt: since } },
  });
  return {
    phase: "Running",
    podIP: addressOf(pod),
    podIPs: [{ ip: addressOf(pod) }],
    hostIP: "192.0.2.10",
    startTime: since,
    conditions: [
      ...["PodReadyToStartContainers", "Initialized", "ContainersReady", "PodScheduled"].map((type) => condition(type)),
      condition("Ready", pod.status?.conditions[0]?.status ?? "True"),
    ],
    initContainerStatuses: [container("seawall-redirect"), container("seawall-proxy")],
    containerStatuses: [container(pod.metadata.labels?.["app"] ?? "app")],
  };
}
