/**
 * The Kubernetes kinds that Seawall reads, held to as much as it reads of them. The API server is the judge of the rest,
 * and a folder of real manifests must not be refused for what Seawall does not know.
 */
import { isIP } from "node:net";
import Type, { type TSchema } from "typebox";
import type { KubernetesObject } from "../../crds/core/object.ts";
import { checkSchema } from "../../crds/core/schema.ts";
import { violation, type Violation } from "../../crds/core/violation.ts";
import type { EndpointSliceObject, PodObject, ServiceObject } from "../model/kubernetes.ts";
import type { KnownKind } from "./known-kind.ts";

const StringMap = Type.Record(Type.String(), Type.String());
const Port = Type.Integer({ minimum: 1, maximum: 65535 });
const Protocol = Type.Union([Type.Literal("TCP"), Type.Literal("UDP"), Type.Literal("SCTP")]);

const ContainerPort = Type.Object({ name: Type.Optional(Type.String()), containerPort: Port, protocol: Type.Optional(Protocol) });
const PodSchema = Type.Object({
  spec: Type.Optional(
    Type.Object({
      serviceAccountName: Type.Optional(Type.String({ minLength: 1 })),
      containers: Type.Optional(
        Type.Array(Type.Object({ name: Type.Optional(Type.String()), ports: Type.Optional(Type.Array(ContainerPort)) })),
      ),
    }),
  ),
  status: Type.Optional(
    Type.Object({
      podIP: Type.Optional(Type.String()),
      phase: Type.Optional(Type.String()),
      conditions: Type.Optional(Type.Array(Type.Object({ type: Type.String(), status: Type.String() }))),
    }),
  ),
});

const ServiceSchema = Type.Object({
  spec: Type.Optional(
    Type.Object({
      type: Type.Optional(Type.String()),
      clusterIP: Type.Optional(Type.String()),
      selector: Type.Optional(StringMap),
      ports: Type.Optional(
        Type.Array(
          Type.Object({
            name: Type.Optional(Type.String({ minLength: 1 })),
            port: Port,
            targetPort: Type.Optional(Type.Union([Port, Type.String({ minLength: 1 })])),
            protocol: Type.Optional(Protocol),
            appProtocol: Type.Optional(Type.String({ minLength: 1 })),
          }),
        ),
      ),
    }),
  ),
});

const EndpointSliceSchema = Type.Object({
  addressType: Type.Union([Type.Literal("IPv4"), Type.Literal("IPv6"), Type.Literal("FQDN")]),
  ports: Type.Optional(
    Type.Array(Type.Object({ name: Type.Optional(Type.String()), port: Type.Optional(Port), protocol: Type.Optional(Protocol) })),
  ),
  endpoints: Type.Optional(
    Type.Array(
      Type.Object({
        addresses: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }),
        conditions: Type.Optional(
          Type.Object({
            ready: Type.Optional(Type.Boolean()),
            serving: Type.Optional(Type.Boolean()),
            terminating: Type.Optional(Type.Boolean()),
          }),
        ),
        targetRef: Type.Optional(
          Type.Object({
            kind: Type.Optional(Type.String()),
            namespace: Type.Optional(Type.String()),
            name: Type.Optional(Type.String()),
          }),
        ),
      }),
    ),
  ),
});

const SecretSchema = Type.Object({ type: Type.Optional(Type.String()) });
const ConfigMapSchema = Type.Object({ data: Type.Optional(StringMap), binaryData: Type.Optional(StringMap) });
const HttpRouteSchema = Type.Object({ spec: Type.Object({}) });
const AnySchema = Type.Object({});

function kind(
  name: string,
  plural: string,
  apiVersion: string,
  schema: TSchema,
  more: (object: KubernetesObject) => Violation[] = () => [],
  options: Partial<Pick<KnownKind, "namespaced" | "reads" | "confidential">> = {},
): KnownKind {
  return {
    kind: name,
    plural,
    apiVersion,
    namespaced: true,
    security: false,
    closed: false,
    confidential: [],
    ...options,
    validate: (object) => {
      const found = checkSchema(schema, object, "");
      return found.length > 0 ? found : more(object);
    },
  };
}

export const KUBERNETES_KINDS: readonly KnownKind[] = [
  kind("Namespace", "namespaces", "v1", AnySchema, undefined, { namespaced: false, reads: [] }),
  kind("ServiceAccount", "serviceaccounts", "v1", AnySchema, undefined, { reads: [] }),
  kind("Pod", "pods", "v1", PodSchema, (object) => checkPod(object as unknown as PodObject), {
    reads: ["spec.serviceAccountName", "spec.containers[].name", "spec.containers[].ports", "status"],
  }),
  kind("Service", "services", "v1", ServiceSchema, (object) => checkService(object as unknown as ServiceObject)),
  kind("EndpointSlice", "endpointslices", "discovery.k8s.io/v1", EndpointSliceSchema, (object) =>
    checkSlice(object as unknown as EndpointSliceObject),
  ),
  kind("Secret", "secrets", "v1", SecretSchema, checkSecret, { confidential: ["data", "stringData"] }),
  kind("ConfigMap", "configmaps", "v1", ConfigMapSchema),
  kind("HTTPRoute", "httproutes", "gateway.networking.k8s.io/v1", HttpRouteSchema),
];

function checkPod(pod: PodObject): Violation[] {
  const address = pod.status?.podIP;
  return address === undefined || isIP(address) !== 0
    ? []
    : [violation("status.podIP", "Invalid", `${JSON.stringify(address)} is not an IP address`)];
}

function checkService(service: ServiceObject): Violation[] {
  const found: Violation[] = [];
  const ports = service.spec?.ports ?? [];
  const seen = new Map<string, number>();
  const address = service.spec?.clusterIP;
  if (address !== undefined && address !== "" && address !== "None" && isIP(address) === 0) {
    found.push(violation("spec.clusterIP", "Invalid", `${JSON.stringify(address)} is neither an IP address nor None`));
  }
  const claim = (claimed: string, path: string, index: number, message: (other: number) => string): void => {
    const other = seen.get(claimed);
    if (other === undefined) seen.set(claimed, index);
    else found.push(violation(path, "Duplicate", message(other)));
  };
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`;
    if (ports.length > 1 && port.name === undefined) {
      found.push(violation(`${path}.name`, "Required", "is required where a Service has several ports"));
    }
    claim(`${port.protocol ?? "TCP"} ${port.port}`, `${path}.port`, index, (other) => `is also the port of ports[${other}]`);
    if (port.name !== undefined) claim(port.name, `${path}.name`, index, (other) => `is also the name of ports[${other}]`);
  }
  return found;
}

function checkSlice(slice: EndpointSliceObject): Violation[] {
  const family = slice.addressType === "IPv4" ? 4 : slice.addressType === "IPv6" ? 6 : undefined;
  if (family === undefined) return [];
  return (slice.endpoints ?? []).flatMap((endpoint, index) =>
    endpoint.addresses.flatMap((address, position) =>
      isIP(address) === family
        ? []
        : [violation(`endpoints[${index}].addresses[${position}]`, "Invalid", `${JSON.stringify(address)} is not an IPv${family} address`)],
    ),
  );
}

/** By hand, so that no message shows a value. */
function checkSecret(object: KubernetesObject): Violation[] {
  const secret = object as unknown as Readonly<Record<"data" | "stringData", unknown>>;
  return (["data", "stringData"] as const).flatMap((field) => {
    const values = secret[field];
    if (values === undefined) return [];
    if (typeof values !== "object" || values === null || Array.isArray(values)) {
      return [violation(field, "WrongType", "must be an object whose values are strings")];
    }
    return Object.entries(values).flatMap(([key, value]: [string, unknown]) => {
      const path = /^[A-Za-z_$][\w$-]*$/.test(key) ? `${field}.${key}` : `${field}[${key}]`;
      if (typeof value !== "string") return [violation(path, "WrongType", "must be a string: quote it")];
      const isWrong = field === "data" && !isBase64(value);
      return isWrong ? [violation(path, "Malformed", "must be base64: encode it, or write it under stringData")] : [];
    });
  });
}

function isBase64(text: string): boolean {
  const written = text.replaceAll(/\s/g, "");
  return written.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(written);
}
