import { objectKey } from "../../crds/core/object.ts";
import type { DataPlane } from "./data-plane.ts";
import type { PodObject } from "./kubernetes.ts";

/** Annotations of pods. Where the application and the proxy listen is for standalone pods to say, since no kubelet places them. */
export const ANNOTATIONS = {
  /** `"false"`: the pod has no sidecar. */
  inject: "seawall.dev/inject",
  /** Ports (`"9000,9001"`) of which the sidecar keeps away: who calls them meets the application itself. */
  excludeInboundPorts: "seawall.dev/exclude-inbound-ports",
  /** Where the application listens on 127.0.0.1: one port (`"18080"`) or a list (`"8080=18080,9090=19090"`). */
  applicationPorts: "seawall.dev/application-ports",
  /** The port of the pod's outbound HTTP proxy on the pod's own address. */
  proxyPort: "seawall.dev/proxy-port",
} as const;

/** The init container that is the sidecar of an injected pod. */
export const SIDECAR_CONTAINER = "seawall-proxy";

/** The init container that redirects the traffic of an injected pod. */
export const REDIRECT_CONTAINER = "seawall-redirect";

/** The outbound HTTP proxy of a pod that names no other port. */
export const DEFAULT_PROXY_PORT = 15001;

export interface PodPort {
  readonly number: number;
  readonly name?: string;
}

/** A pod, reduced to what the mesh needs to know. */
export interface Pod {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The first of {@link addresses}. */
  readonly address: string;
  /** At most one of each family. */
  readonly addresses: readonly string[];
  /** The address is the node's, which other pods have as well. */
  readonly hostNetwork: boolean;
  /** Declared container ports, by number. */
  readonly ports: readonly PodPort[];
  /** Has a sidecar. */
  readonly injected: boolean;
  /** Ports that do not pass through the sidecar, sorted. */
  readonly excludedPorts: readonly number[];
  /** Takes part in its services' endpoints. */
  readonly ready: boolean;
  /** Where the application listens on 127.0.0.1, by container port; a port that is not listed is at the same number. */
  readonly applicationPorts: Readonly<Record<number, number>>;
  readonly proxyPort: number;
}

/** Reads a pod; undefined while it has no address, or when it has ended. */
export function readPod(object: PodObject, dataPlane: DataPlane): Pod | undefined {
  const { metadata, spec, status } = object;
  const addresses = readAddresses(status);
  const [address] = addresses;
  const phase = status?.phase ?? "Running";
  if (address === undefined || phase === "Succeeded" || phase === "Failed") return undefined;
  const annotations = metadata.annotations ?? {};
  const ports = declaredPorts(object);
  return {
    key: objectKey(metadata),
    namespace: metadata.namespace ?? "default",
    name: metadata.name,
    ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
    serviceAccount: spec?.serviceAccountName ?? "default",
    labels: metadata.labels ?? {},
    address,
    addresses,
    hostNetwork: spec?.hostNetwork === true,
    ports,
    injected: isInjected(object, dataPlane),
    excludedPorts: readPorts(annotations[ANNOTATIONS.excludeInboundPorts]),
    ready: isReady(object),
    applicationPorts: readApplicationPorts(annotations[ANNOTATIONS.applicationPorts], ports),
    proxyPort: readPort(annotations[ANNOTATIONS.proxyPort]) ?? DEFAULT_PROXY_PORT,
  };
}

function readAddresses(status: PodObject["status"]): readonly string[] {
  const all = [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)];
  return [...new Set(all.filter((address) => address !== undefined))];
}

/** In a cluster what counts is what was injected, whatever an annotation asks for by now. */
function isInjected({ metadata, spec }: PodObject, dataPlane: DataPlane): boolean {
  switch (dataPlane.kind) {
    case "standalone":
      return metadata.annotations?.[ANNOTATIONS.inject] !== "false";
    case "kubernetes":
      return spec?.hostNetwork !== true && (spec?.initContainers ?? []).some(({ name }) => name === SIDECAR_CONTAINER);
  }
}

function declaredPorts({ spec }: PodObject): PodPort[] {
  const byNumber = new Map<number, PodPort>();
  const besides = (spec?.initContainers ?? []).filter(
    ({ name, restartPolicy }) => restartPolicy === "Always" && name !== SIDECAR_CONTAINER,
  );
  for (const container of [...(spec?.containers ?? []), ...besides]) {
    for (const port of container.ports ?? []) {
      if ((port.protocol ?? "TCP") !== "TCP" || byNumber.has(port.containerPort)) continue;
      byNumber.set(port.containerPort, { number: port.containerPort, ...(port.name === undefined ? {} : { name: port.name }) });
    }
  }
  return [...byNumber.values()].sort((a, b) => a.number - b.number);
}

/** Files rarely write a Ready condition; a pod without one is ready when it runs. */
function isReady(object: PodObject): boolean {
  const condition = object.status?.conditions?.find((found) => found.type === "Ready");
  return condition === undefined ? (object.status?.phase ?? "Running") === "Running" : condition.status === "True";
}

function readApplicationPorts(annotation: string | undefined, ports: readonly PodPort[]): Record<number, number> {
  if (annotation === undefined) return {};
  const single = readPort(annotation);
  if (single !== undefined) {
    const only = ports[0];
    return ports.length === 1 && only !== undefined ? { [only.number]: single } : {};
  }
  const result: Record<number, number> = {};
  for (const pair of annotation.split(",")) {
    const [container, application] = pair.split("=").map((text) => readPort(text.trim()));
    if (container !== undefined && application !== undefined) result[container] = application;
  }
  return result;
}

/** What cannot be read is left out: the injector has refused it. */
function readPorts(annotation: string | undefined): readonly number[] {
  const numbers = (annotation ?? "").split(",").flatMap((text) => readPort(text.trim()) ?? []);
  return [...new Set(numbers)].sort((a, b) => a - b);
}

function readPort(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : undefined;
}

/** Where the application of `port` listens on loopback. */
export function applicationPort(pod: Pod, port: number): number {
  return pod.applicationPorts[port] ?? port;
}
