/** Where a backendRef leads among the services that exist. One that leads nowhere is a value, never an exception. */
import { isServiceParent, namespaceOf } from "./attachment.ts";
import type { AnyRoute, BackendReference } from "./schema.ts";
import { type KnownServices, protocolOfRoutes, type RouteKind, type ServicePortAddress } from "./services.ts";

/** Whose references are followed, as far as it decides what they may reach. */
export interface RouteOrigin {
  readonly kind: RouteKind;
  readonly namespace: string;
  /** The namespaces of the Services that it is for, where these are not its own. */
  readonly consumes: readonly string[];
}

export function originOf(route: AnyRoute): RouteOrigin {
  const own = namespaceOf(route);
  const parents = (route.spec.parentRefs ?? []).filter(isServiceParent).map(({ namespace = own }) => namespace);
  return { kind: route.kind, namespace: own, consumes: parents.filter((namespace) => namespace !== own) };
}

export type DanglingReason = "BackendNotFound" | "InvalidKind" | "RefNotPermitted" | "UnsupportedProtocol";

export type Backend =
  | { readonly kind: "resolved"; readonly port: ServicePortAddress }
  | {
      readonly kind: "dangling";
      /** `dangling/<namespace>/<name>/<port>`: what the answer to a request that meets it says. */
      readonly name: string;
      readonly reason: DanglingReason;
      readonly message: string;
    };

/**
 * Another namespace's Service may be reached where a ReferenceGrant there says so. A consumer route needs none for the
 * namespace of its parent: it steers its own namespace's callers alone, who call that namespace anyway.
 */
export function resolveBackend(origin: RouteOrigin, ref: BackendReference, services: KnownServices): Backend {
  const target = ref.namespace ?? origin.namespace;
  const what = `Service ${target}/${ref.name}`;
  const dangling = (reason: DanglingReason, message: string): Backend => {
    return { kind: "dangling", name: `dangling/${target}/${ref.name}/${ref.port ?? "-"}`, reason, message };
  };
  if (!isServiceBackend(ref)) return dangling("InvalidKind", `${ref.group ?? ""}/${ref.kind ?? ""} is no kind of backend: use a Service`);
  const ownBusiness = target === origin.namespace || origin.consumes.includes(target);
  if (!ownBusiness && !services.permits(origin, { namespace: target, service: ref.name })) {
    const remedy = `no ReferenceGrant of ${target} lets a ${origin.kind} of ${origin.namespace} use it`;
    return dangling("RefNotPermitted", `${what} is in another namespace, and ${remedy}`);
  }
  const ports = services.portsOf(target, ref.name);
  if (ports === undefined) return dangling("BackendNotFound", `there is no ${what}`);
  const port = ports.find((found) => found.number === ref.port);
  if (port === undefined) return dangling("BackendNotFound", `${what} has no port ${ref.port ?? "(none is given)"}`);
  const protocol = protocolOfRoutes(origin.kind);
  if (port.protocol !== protocol) {
    const speaks = protocol === "HTTP" ? "speaks no HTTP" : "speaks HTTP, not plain TCP";
    return dangling("UnsupportedProtocol", `port ${port.number} of ${what} ${speaks}`);
  }
  return { kind: "resolved", port: { namespace: target, service: ref.name, port: port.number } };
}

export function isServiceBackend(ref: BackendReference): boolean {
  return (ref.group ?? "") === "" && (ref.kind ?? "Service") === "Service";
}

/** The service ports that the references lead to, each once. */
export function reachedBy(
  route: AnyRoute,
  references: readonly BackendReference[],
  services: KnownServices,
): readonly ServicePortAddress[] {
  const origin = originOf(route);
  const found = new Map<string, ServicePortAddress>();
  for (const ref of references) {
    const backend = resolveBackend(origin, ref, services);
    if (backend.kind === "resolved") found.set(JSON.stringify(backend.port), backend.port);
  }
  return [...found.values()];
}
