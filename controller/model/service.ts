import { isIP } from "node:net";
import { objectKey } from "../../crds/core/object.ts";
import type { ServiceObject } from "./kubernetes.ts";
import { declaredProtocol, type PortProtocol } from "./protocol.ts";

export interface ServicePort {
  readonly number: number;
  readonly name?: string;
  /** The container's port, by number or by name. */
  readonly target: number | string;
  readonly protocol: PortProtocol;
  /** The protocol was written down, rather than assumed. */
  readonly declared: boolean;
}

/** A service, reduced to what the mesh needs to know. */
export interface Service {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** Labels that select the service's pods; undefined when its endpoints are written by hand. */
  readonly selector?: Readonly<Record<string, string>>;
  /** Its own addresses, the one of its first family first; none for a headless service. */
  readonly addresses: readonly string[];
  /** Its name stands for the addresses of its pods. */
  readonly headless: boolean;
  readonly ports: readonly ServicePort[];
}

export function readService(object: ServiceObject): Service | undefined {
  if (object.spec?.type === "ExternalName") return undefined;
  const { metadata } = object;
  const ports: ServicePort[] = [];
  for (const port of object.spec?.ports ?? []) {
    if ((port.protocol ?? "TCP") !== "TCP") continue;
    const declared = declaredProtocol(port);
    ports.push({
      number: port.port,
      ...(port.name === undefined ? {} : { name: port.name }),
      target: port.targetPort ?? port.port,
      protocol: declared ?? "http1",
      declared: declared !== undefined,
    });
  }
  const { selector, clusterIP, clusterIPs = clusterIP === undefined ? [] : [clusterIP] } = object.spec ?? {};
  return {
    key: objectKey(metadata),
    namespace: metadata.namespace ?? "default",
    name: metadata.name,
    ...(selector === undefined || Object.keys(selector).length === 0 ? {} : { selector }),
    addresses: clusterIPs.filter((address) => isIP(address) !== 0),
    headless: clusterIP === "None",
    ports: ports.sort((a, b) => a.number - b.number),
  };
}

/** One port of a service: the unit of outbound configuration. */
export interface ServicePortRef {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
}

/** `<namespace>/<service>/<port>`. */
export function servicePortKey(ref: ServicePortRef): string {
  return `${ref.namespace}/${ref.service}/${ref.port}`;
}

/** The name of a service port's cluster, routes and endpoints on the wire. */
export function outboundName(ref: ServicePortRef): string {
  return `outbound/${servicePortKey(ref)}`;
}

export function selectorMatches(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
