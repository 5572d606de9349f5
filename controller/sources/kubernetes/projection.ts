/**
 * What is kept in memory of an object that the API server sent: the fields that the house reads and no others. Of a pod that
 * is a twentieth; and what is not kept cannot change, so that a kubelet's heartbeat is no news to anybody.
 */
import type { KubernetesObject, ObjectMeta } from "../../../crds/core/object.ts";
import type { EndpointSliceObject, PodObject, ServiceObject } from "../../model/kubernetes.ts";
import { type KnownKind, withoutNulls } from "../known-kind.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Fields to keep; `true` keeps a value whole, and a list is kept item by item. */
type Kept = true | { readonly [field: string]: Kept };

/** Every field of a type of the model, so that the compiler asks for those that are added to it. */
type KeptOf<T> = T extends readonly (infer Item)[]
  ? KeptOf<Item>
  : T extends object
    ? string extends keyof T
      ? true
      : { readonly [Field in keyof T]-?: KeptOf<NonNullable<T[Field]>> }
    : true;
type KeptOfObject<T> = KeptOf<Omit<T, "kind" | "metadata">>;

const CONTAINER_PORT = { name: true, containerPort: true, protocol: true } as const;
const POD: KeptOfObject<PodObject> = {
  spec: {
    serviceAccountName: true,
    hostNetwork: true,
    containers: { name: true, ports: CONTAINER_PORT },
    initContainers: { name: true, restartPolicy: true, ports: CONTAINER_PORT },
  },
  status: { podIP: true, podIPs: { ip: true }, phase: true, conditions: { type: true, status: true } },
};

const SERVICE: KeptOfObject<ServiceObject> = {
  spec: {
    type: true,
    clusterIP: true,
    clusterIPs: true,
    selector: true,
    ports: { name: true, port: true, targetPort: true, protocol: true, appProtocol: true },
  },
};

const ENDPOINT_SLICE: KeptOfObject<EndpointSliceObject> = {
  addressType: true,
  ports: { name: true, port: true, protocol: true },
  endpoints: {
    addresses: true,
    conditions: { ready: true, serving: true, terminating: true },
    targetRef: { kind: true, namespace: true, name: true },
  },
};

/** Of a kind that is not listed the spec: its status is for others to read, and written by us. */
const KEPT: Readonly<Record<string, Kept>> = {
  Namespace: {},
  ServiceAccount: {},
  Pod: POD,
  Service: SERVICE,
  EndpointSlice: ENDPOINT_SLICE,
};
const SPEC: Kept = { spec: true };

/** What of an object's state the house waits for. Other conditions come and go, and nobody asks. */
const POD_CONDITION = "Ready";

/** Repeats the whole object, which kubectl wrote there for itself. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** Seawall's own kinds are held to every field that they have; of somebody else's a null is a field that is absent. */
export function projected(known: KnownKind, raw: Fields, metadata: Fields): KubernetesObject {
  const kept = pick(raw, KEPT[known.kind] ?? SPEC) as Fields;
  const fields = known.closed ? kept : (withoutNulls(kept) as Fields);
  const object = { apiVersion: known.apiVersion, kind: known.kind, metadata: projectedMetadata(metadata), ...fields };
  return (known.kind === "Pod" ? withReadinessOnly(object) : object) as unknown as KubernetesObject;
}

function projectedMetadata(metadata: Fields): ObjectMeta {
  const { name, namespace, labels, annotations, creationTimestamp, generation, uid } = metadata as unknown as ObjectMeta;
  return {
    name,
    ...(namespace === undefined || namespace === "" ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations: withoutLastApplied(annotations) }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(generation === undefined ? {} : { generation }),
    ...(uid === undefined ? {} : { uid }),
  };
}

function withoutLastApplied(annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (!(LAST_APPLIED in annotations)) return annotations;
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => key !== LAST_APPLIED));
}

function withReadinessOnly<T extends Fields>(pod: T): T {
  const { status } = pod as unknown as PodObject;
  if (status?.conditions === undefined) return pod;
  const { conditions, ...rest } = status;
  const waitedFor = conditions.filter(({ type }) => type === POD_CONDITION);
  return { ...pod, status: waitedFor.length === 0 ? rest : { ...rest, conditions: waitedFor } };
}

function pick(value: unknown, kept: Kept): unknown {
  if (kept === true || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => pick(item, kept));
  const picked: Record<string, unknown> = {};
  for (const [field, inner] of Object.entries(kept)) {
    const found = (value as Fields)[field];
    if (found !== undefined) picked[field] = pick(found, inner);
  }
  return picked;
}
