/**
 * What a route's references mean among the services that exist: which service ports it applies to, which backends it
 * reaches, and what its status says. A reference that leads nowhere is a value here, never an exception.
 */
import { errorsOf, type Violation } from "../core/violation.ts";
import { namespaceOf, type RouteRule, rulesOf, type ServicePortAddress } from "./rules.ts";
import type { BackendReference, HttpRoute, RouteParentRef } from "./schema.ts";

export interface KnownServicePort {
  readonly number: number;
  readonly name?: string | undefined;
  readonly protocol: "HTTP" | "TCP";
}

/** The services that exist. */
export interface KnownServices {
  /** The ports of a service, or undefined when there is no such service. */
  portsOf(namespace: string, service: string): readonly KnownServicePort[] | undefined;
}

export type Attachment =
  | { readonly kind: "attached"; readonly ports: readonly ServicePortAddress[] }
  | { readonly kind: "refused"; readonly reason: "NoMatchingParent" | "UnsupportedValue"; readonly message: string }
  /** The parent is another controller's business: Seawall writes no status for it. */
  | { readonly kind: "foreign" };

export function attach(route: HttpRoute, parent: RouteParentRef, services: KnownServices): Attachment {
  if (!isServiceParent(parent)) return { kind: "foreign" };
  const namespace = namespaceOf(route);
  if (parent.namespace !== undefined && parent.namespace !== namespace) {
    const message = `a route for a Service of another namespace (${parent.namespace}) is a consumer route, which Seawall does not support yet`;
    return { kind: "refused", reason: "UnsupportedValue", message };
  }
  const ports = services.portsOf(namespace, parent.name);
  const refused = (message: string): Attachment => ({ kind: "refused", reason: "NoMatchingParent", message });
  if (ports === undefined) return refused(`there is no Service ${namespace}/${parent.name}`);
  const named = ports.filter((port) => (parent.port ?? port.number) === port.number && (parent.sectionName ?? port.name) === port.name);
  if (named.length === 0) return refused(`Service ${namespace}/${parent.name} has no such port`);
  const http = named.filter((port) => port.protocol === "HTTP");
  if (http.length === 0) return refused(`Service ${namespace}/${parent.name} speaks no HTTP there`);
  return { kind: "attached", ports: http.map((port) => ({ namespace, service: parent.name, port: port.number })) };
}

/** A reference to a Service says `group: ""`: what is absent the API server reads as the Gateway API's own group. */
export function isServiceParent(parent: RouteParentRef): boolean {
  return parent.group === "" && parent.kind === "Service";
}

/** Every service port that the route applies to, each once. */
export function attachedPorts(route: HttpRoute, services: KnownServices): readonly ServicePortAddress[] {
  const ports = (route.spec.parentRefs ?? []).flatMap((parent) => {
    const attachment = attach(route, parent, services);
    return attachment.kind === "attached" ? attachment.ports : [];
  });
  return ports.filter((port, index) => ports.findIndex((other) => isSamePort(other, port)) === index);
}

/** Those of `routes` that apply to the service port. */
export function routesOf(port: ServicePortAddress, routes: readonly HttpRoute[], services: KnownServices): readonly HttpRoute[] {
  return routes.filter((route) => attachedPorts(route, services).some((attached) => isSamePort(attached, port)));
}

function isSamePort(a: ServicePortAddress, b: ServicePortAddress): boolean {
  return a.namespace === b.namespace && a.service === b.service && a.port === b.port;
}

export type Backend =
  | { readonly kind: "resolved"; readonly port: ServicePortAddress }
  | {
      readonly kind: "dangling";
      /** `dangling/<namespace>/<name>/<port>`: what the answer to a request that meets it says. */
      readonly name: string;
      readonly reason: "BackendNotFound" | "InvalidKind" | "RefNotPermitted" | "UnsupportedProtocol";
      readonly message: string;
    };

/** What a backendRef of a route in `namespace` leads to. */
export function resolveBackend(namespace: string, ref: BackendReference, services: KnownServices): Backend {
  const target = ref.namespace ?? namespace;
  const what = `Service ${target}/${ref.name}`;
  const dangling = (reason: (Backend & { kind: "dangling" })["reason"], message: string): Backend => {
    return { kind: "dangling", name: `dangling/${target}/${ref.name}/${ref.port ?? "-"}`, reason, message };
  };
  if (!isServiceBackend(ref)) return dangling("InvalidKind", `${ref.group ?? ""}/${ref.kind ?? ""} is no kind of backend: use a Service`);
  if (target !== namespace) return dangling("RefNotPermitted", `${what} is in another namespace, which a route may not reach yet`);
  const ports = services.portsOf(target, ref.name);
  if (ports === undefined) return dangling("BackendNotFound", `there is no ${what}`);
  const port = ports.find((found) => found.number === ref.port);
  if (port === undefined) return dangling("BackendNotFound", `${what} has no port ${ref.port ?? "(none is given)"}`);
  if (port.protocol !== "HTTP") return dangling("UnsupportedProtocol", `port ${port.number} of ${what} speaks no HTTP`);
  return { kind: "resolved", port: { namespace: target, service: ref.name, port: port.number } };
}

export function isServiceBackend(ref: BackendReference): boolean {
  return (ref.group ?? "") === "" && (ref.kind ?? "Service") === "Service";
}

/** Every reference of a rule: where it forwards and where it mirrors. */
function referencesOf(rule: RouteRule): readonly BackendReference[] {
  return [...rule.backendRefs, ...rule.filters.flatMap((filter) => filter.requestMirror?.backendRef ?? [])];
}

/** The service ports that a caller needs to know for the sake of the route: its backends and mirrors, each once. */
export function reachedPorts(route: HttpRoute, services: KnownServices): readonly ServicePortAddress[] {
  const ports = rulesOf(route)
    .flatMap(referencesOf)
    .map((ref) => resolveBackend(namespaceOf(route), ref, services))
    .flatMap((backend) => (backend.kind === "resolved" ? [backend.port] : []));
  return ports.filter((port, index) => ports.findIndex((other) => isSamePort(other, port)) === index);
}

export interface RouteCondition {
  readonly type: "Accepted" | "ResolvedRefs";
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** An entry of `status.parents`, without what the writer adds (controllerName, observedGeneration, times). */
export interface RouteParentStatus {
  readonly parentRef: RouteParentRef;
  readonly conditions: readonly RouteCondition[];
}

/** The status of a route, of which `violations` says what validation found. One entry for each parent that is a Service. */
export function routeStatus(route: HttpRoute, violations: readonly Violation[], services: KnownServices): readonly RouteParentStatus[] {
  const errors = errorsOf(violations);
  return (route.spec.parentRefs ?? []).flatMap((parentRef) => {
    const attachment = attach(route, parentRef, services);
    if (attachment.kind === "foreign") return [];
    return [{ parentRef, conditions: [accepted(attachment, errors), resolvedRefs(route, errors, services)] }];
  });
}

function accepted(attachment: Exclude<Attachment, { kind: "foreign" }>, errors: readonly Violation[]): RouteCondition {
  const type = "Accepted";
  if (errors.length > 0) {
    const incompatible = errors.every((error) => error.reason === "Conflict" && error.path.includes(".filters"));
    const message = errors.map((error) => `${error.path}: ${error.message}`).join("; ");
    return { type, status: "False", reason: incompatible ? "IncompatibleFilters" : "UnsupportedValue", message };
  }
  if (attachment.kind === "refused") return { type, status: "False", reason: attachment.reason, message: attachment.message };
  return { type, status: "True", reason: "Accepted", message: "" };
}

function resolvedRefs(route: HttpRoute, errors: readonly Violation[], services: KnownServices): RouteCondition {
  const type = "ResolvedRefs";
  const backends = errors.length > 0 ? [] : rulesOf(route).flatMap(referencesOf);
  const dangling = backends
    .map((ref) => resolveBackend(namespaceOf(route), ref, services))
    .flatMap((backend) => (backend.kind === "dangling" ? [backend] : []));
  const [first] = dangling;
  if (first === undefined) return { type, status: "True", reason: "ResolvedRefs", message: "" };
  const messages = new Set(dangling.map((backend) => backend.message));
  return { type, status: "False", reason: first.reason, message: [...messages].join("; ") };
}
