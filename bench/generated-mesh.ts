/**
 * A mesh as a folder of YAML, the same for the same shape: namespaces of ten services, pods dealt to services in turn,
 * an Allow policy per service, and selector-scoped, limiting and authenticating policies beside them. With it comes
 * what every edit must reach, derived from the shape alone.
 */
import type { MeshShape } from "./mesh-shape.ts";

const SERVICES_PER_NAMESPACE = 10;
/** The port on which every generated pod serves. */
export const POD_PORT = 8080;

export interface GeneratedPod {
  /** `namespace/pod`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly service: number;
}

/** A file whose content is a function of a revision; all revisions are equally long. */
export interface EditableFile {
  readonly path: string;
  readonly text: (revision: number) => string;
  /** The same objects as `text(revision)`, with another comment. */
  readonly commented: (revision: number, comment: number) => string;
  /** What only this revision's configuration holds. */
  readonly marker: (revision: number) => string;
}

export interface GeneratedMesh {
  readonly pods: readonly GeneratedPod[];
  /** Texts by path in the folder. */
  readonly files: ReadonlyMap<string, string>;
  /** The policy whose selector covers `selected`. */
  readonly selectorPolicy: EditableFile;
  /** Keys of the pods that it covers. */
  readonly selected: readonly string[];
  /** A policy that covers every pod. */
  readonly meshPolicy: EditableFile;
  /** The file of a service; the readiness of one of its pods turns with the revision. */
  readonly endpointFile: EditableFile;
  /** The wire name of that service's endpoints. */
  readonly endpoints: string;
  /** Keys of the pods that may call that service. */
  readonly endpointViewers: readonly string[];
}

/** Inline keys for authentication policies. No token is ever checked against them here. */
const JWKS =
  '{"keys":[{"kty":"EC","x":"F-kvjwZ7x72F7I_RfyOSB4k5Jl2k-Q-hhIINuKeYo1E","y":"z2ZYYrRY0B-c0DcS8_EbvlFxQ2wPjECQqnT8jDwGEj4","crv":"P-256","kid":"bench","alg":"ES256","use":"sig"}]}';

export function generateMesh(shape: MeshShape): GeneratedMesh {
  const { sidecars, services, policies, selected, spread } = shape;
  const callers = Math.min(shape.callers, services - 1);
  const pods = Array.from({ length: sidecars }, (_, index): GeneratedPod & { readonly index: number } => {
    const service = index % services;
    const namespace = namespaceOf(service);
    const name = `${serviceName(service)}-${Math.floor(index / services)}`;
    return { key: `${namespace}/${name}`, namespace, name, service, index };
  });
  const cohorts = cohortsOf(pods, selected, spread);
  const callersOf = (service: number): number[] => Array.from({ length: callers }, (_, index) => (service + 1 + index) % services);

  const files = new Map<string, string>();
  const policy = (namespace: string, name: string, text: string): void => void files.set(`${namespace}/policies/${name}.yaml`, text);
  for (const namespace of new Set(pods.map((pod) => pod.namespace))) {
    files.set(`${namespace}/namespace.yaml`, `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${namespace} }\n`);
  }
  files.set(
    "mesh.yaml",
    "apiVersion: seawall.dev/v1alpha1\nkind: MeshConfig\nmetadata: { name: mesh }\nspec: { trustDomain: bench.example, access: { default: Deny } }\n",
  );
  const serviceFile = (service: number, unready?: string): string =>
    [
      serviceText(service),
      ...pods.filter((pod) => pod.service === service).map((pod) => podText(pod, cohorts.get(pod.key) ?? 0, pod.key !== unready)),
    ].join("---\n");
  for (let service = 0; service < services; service++) {
    files.set(servicePath(service), serviceFile(service));
  }

  const [firstPod] = pods;
  if (firstPod === undefined) throw new Error("a mesh needs a sidecar");
  const meshPolicy = denyFile("mesh-wide.yaml", "ClusterAccessPolicy", "mesh-wide", undefined, "targetSelectors: [{ kind: Pod }]");
  const selectorPolicy = cohortFile(firstPod.namespace, 0);
  for (const file of [meshPolicy, selectorPolicy]) files.set(file.path, file.text(0));
  let left = policies - 2;
  let guarded = 0;
  for (; guarded < services && left > 0; guarded++, left--) {
    policy(namespaceOf(guarded), serviceName(guarded), allowText(guarded, callersOf(guarded)));
  }
  const cohortNamespaces = new Map(pods.map((pod) => [cohorts.get(pod.key) ?? 0, pod.namespace]));
  for (let turn = 0; left > 0; turn++, left--) {
    const service = Math.floor(turn / 4) % services;
    const namespace = namespaceOf(service);
    const name = `extra-${turn}`;
    const head = (kind: string): string =>
      `apiVersion: seawall.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec:\n  targetRefs: [{ kind: Service, name: ${serviceName(service)} }]\n`;
    if (turn % 4 === 0) {
      policy(
        namespace,
        name,
        `${head("RateLimitPolicy")}  limits:\n    - { name: per-caller, per: [{ type: Identity }], requests: 100, window: 1m }\n`,
      );
    } else if (turn % 4 === 1) {
      policy(
        namespace,
        name,
        `${head("AuthenticationPolicy")}  anonymous: Allow\n  accept:\n    - mutualTLS: {}\n    - jwt: { issuer: "https://idp.bench.example", audiences: [bench], jwks: { inline: '${JWKS}' } }\n`,
      );
    } else {
      const cohort = (turn + 1) % cohortNamespaces.size;
      const file = cohortFile(cohortNamespaces.get(cohort) ?? firstPod.namespace, cohort, name);
      files.set(file.path, file.text(0));
    }
  }

  const target = guarded > 1 ? 1 : 0;
  const unready = pods.find((pod) => pod.service === target)?.key;
  const endpointText = (revision: number): string => serviceFile(target, revision % 2 === 1 ? unready : undefined);
  const viewers = new Set(callersOf(target));
  return {
    pods,
    files,
    selectorPolicy,
    selected: pods.filter((pod) => cohorts.get(pod.key) === 0).map((pod) => pod.key),
    meshPolicy,
    endpointFile: {
      path: servicePath(target),
      text: endpointText,
      commented: (revision, comment) => `${endpointText(revision)}# ${digits(comment)}\n`,
      marker: () => "",
    },
    endpoints: `outbound/${namespaceOf(target)}/${serviceName(target)}/80`,
    endpointViewers: pods.filter((pod) => viewers.has(pod.service)).map((pod) => pod.key),
  };
}

function digits(number: number): string {
  return String(number).padStart(6, "0");
}

function namespaceOf(service: number): string {
  return `team-${Math.floor(service / SERVICES_PER_NAMESPACE)}`;
}

function serviceName(service: number): string {
  return `s${service}`;
}

function servicePath(service: number): string {
  return `${namespaceOf(service)}/${serviceName(service)}.yaml`;
}

/** Groups of `size` pods of one namespace, by pod: of the same service where that is possible, or of different ones. */
function cohortsOf(pods: readonly GeneratedPod[], size: number, spread: boolean): Map<string, number> {
  const cohorts = new Map<string, number>();
  let first = 0;
  const namespaces = new Set(pods.map((pod) => pod.namespace));
  for (const namespace of namespaces) {
    const members = pods.filter((pod) => pod.namespace === namespace);
    // As they are dealt, neighbours are of different services.
    if (!spread) members.sort((a, b) => a.service - b.service);
    members.forEach((pod, index) => cohorts.set(pod.key, first + Math.floor(index / size)));
    first += Math.ceil(members.length / size);
  }
  return cohorts;
}

function cohortFile(namespace: string, cohort: number, name = `cohort-${cohort}`): EditableFile {
  const target = `targetSelectors: [{ kind: Pod, matchLabels: { cohort: c${cohort} } }]`;
  return denyFile(`${namespace}/policies/${name}.yaml`, "AccessPolicy", name, namespace, target);
}

function denyFile(path: string, kind: string, name: string, namespace: string | undefined, target: string): EditableFile {
  const marker = (revision: number): string => `/${name}-r${digits(revision)}`;
  const commented = (revision: number, comment: number): string =>
    `# ${digits(comment)}
apiVersion: seawall.dev/v1alpha1
kind: ${kind}
metadata: { name: ${name}${namespace === undefined ? "" : `, namespace: ${namespace}`} }
spec:
  ${target}
  action: Deny
  rules:
    - name: nobody-deletes
      to: [{ methods: [DELETE], paths: ["${marker(revision)}/**"] }]
`;
  return { path, text: (revision) => commented(revision, 0), commented, marker };
}

function allowText(service: number, callers: readonly number[]): string {
  const name = serviceName(service);
  const accounts = callers.map((caller) => `${namespaceOf(caller)}/${serviceName(caller)}`);
  return `apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: ${name}, namespace: ${namespaceOf(service)} }
spec:
  targetRefs: [{ kind: Service, name: ${name} }]
  action: Allow
  rules:
    - name: callers-read
      from: [{ serviceAccounts: [${accounts.join(", ")}] }]
      to: [{ methods: [GET], paths: ["/${name}", "/${name}/{id}"] }]
    - name: callers-write
      from: [{ serviceAccounts: [${accounts.join(", ")}] }]
      to: [{ methods: [POST, PUT], paths: ["/${name}/{id}/items/**"] }]
`;
}

function serviceText(service: number): string {
  const metadata = `metadata: { name: ${serviceName(service)}, namespace: ${namespaceOf(service)} }`;
  return `apiVersion: v1
kind: ServiceAccount
${metadata}
---
apiVersion: v1
kind: Service
${metadata}
spec:
  selector: { app: ${serviceName(service)} }
  ports: [{ name: http, port: 80, targetPort: http }]
`;
}

/** The addresses are of 127.0.0.0/8, and nobody binds them. */
function podText(pod: GeneratedPod & { readonly index: number }, cohort: number, ready: boolean): string {
  const address = `127.${64 + (pod.index >> 16)}.${(pod.index >> 8) & 255}.${pod.index & 255}`;
  const name = serviceName(pod.service);
  return `apiVersion: v1
kind: Pod
metadata:
  name: ${pod.name}
  namespace: ${pod.namespace}
  labels: { app: ${name}, cohort: c${cohort} }
spec:
  serviceAccountName: ${name}
  containers:
    - name: ${name}
      ports: [{ name: http, containerPort: ${POD_PORT} }]
status:
  podIP: ${address}
  conditions: [{ type: Ready, status: "${ready ? "True" : "False"}" }]
`;
}
