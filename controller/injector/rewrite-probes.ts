/**
 * Probes and lifecycle hooks that the kubelet makes over the network. The kubelet has no identity in the mesh, so they are
 * led to the sidecar's probe port, at a path for each; the sidecar passes them on to the application.
 */
import type { SidecarProbe } from "../../xds-server/envoy/kubernetes-bootstrap.ts";
import { SIDECAR_PORTS } from "../../xds-server/envoy/sidecar-ports.ts";
import type { Container, ContainerProbe, Handler, HttpGet, Lifecycle, OtherFields } from "./pod-template.ts";

export interface RewrittenContainer {
  readonly container: Container;
  readonly probes: readonly SidecarProbe[];
}

const PROBES = [
  ["livenessProbe", "livez"],
  ["readinessProbe", "readyz"],
  ["startupProbe", "startupz"],
] as const;

const HOOKS = [
  ["postStart", "post-start"],
  ["preStop", "pre-stop"],
] as const;

export interface RewriteContext {
  /** Probes of ports that are not redirected reach the application as they are. */
  readonly unredirected: ReadonlySet<number>;
  /** What those that were rewritten before ask, by their path on the sidecar's port. */
  readonly earlier: ReadonlyMap<string, SidecarProbe>;
}

export function rewriteProbes(container: Container, { unredirected, earlier }: RewriteContext): RewrittenContainer {
  const probes: SidecarProbe[] = [];
  const rewrite = <T extends Handler>(handler: T | undefined, word: string): T | undefined => {
    const known = handler?.httpGet?.port === SIDECAR_PORTS.probes ? earlier.get(handler.httpGet.path ?? "") : undefined;
    if (known !== undefined) {
      probes.push(known);
      return handler;
    }
    const target = handler === undefined ? undefined : readTarget(handler, container);
    if (handler === undefined || target === undefined || unredirected.has(target.port)) return handler;
    const path = `/${container.name}/${word}`;
    const { periodSeconds, timeoutSeconds } = handler as ContainerProbe;
    probes.push({
      path,
      ...target,
      ...(periodSeconds === undefined ? {} : { periodSeconds }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    });
    return { ...without(handler, "tcpSocket", "grpc"), httpGet: toSidecar(handler.httpGet ?? {}, path) } as unknown as T;
  };
  const rewritten: Record<string, unknown> = { ...container };
  for (const [field, word] of PROBES) {
    if (container[field] !== undefined) rewritten[field] = rewrite(container[field], word);
  }
  if (container.lifecycle !== undefined) {
    const lifecycle: Record<keyof Lifecycle, unknown> = { ...container.lifecycle };
    for (const [field, word] of HOOKS) {
      if (container.lifecycle[field] !== undefined) lifecycle[field] = rewrite(container.lifecycle[field], word);
    }
    rewritten["lifecycle"] = lifecycle;
  }
  return probes.length === 0 ? { container, probes } : { container: rewritten as unknown as Container, probes };
}

/** Headers are the kubelet's to send; the sidecar passes them on. */
function toSidecar(httpGet: OtherFields, path: string): HttpGet {
  return { ...httpGet, path, port: SIDECAR_PORTS.probes, scheme: "HTTP" };
}

function without(fields: OtherFields, ...names: readonly string[]): OtherFields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

function readTarget({ httpGet, tcpSocket, grpc }: Handler, container: Container): Pick<SidecarProbe, "port" | "check"> | undefined {
  if (httpGet !== undefined) {
    const port = portOf(httpGet, container);
    if (port === undefined) return undefined;
    const path = httpGet.path === undefined || httpGet.path === "" ? "/" : httpGet.path;
    const rooted = path.startsWith("/") ? path : `/${path}`;
    return { port, check: { kind: "http", scheme: httpGet.scheme === "HTTPS" ? "HTTPS" : "HTTP", path: literal(rooted) } };
  }
  if (tcpSocket !== undefined) {
    const port = portOf(tcpSocket, container);
    return port === undefined ? undefined : { port, check: { kind: "tcp" } };
  }
  if (grpc === undefined) return undefined;
  const service = grpc.service === undefined || grpc.service === "" ? {} : { service: literal(grpc.service) };
  return { port: grpc.port, check: { kind: "grpc", ...service } };
}

/** Undefined for another host, where no sidecar is, and for a name that no port has, which the kubelet reports itself. */
function portOf(target: { readonly port: number | string; readonly host?: string }, container: Container): number | undefined {
  if (target.host !== undefined && target.host !== "") return undefined;
  if (typeof target.port === "number") return target.port;
  return container.ports?.find((port) => port.name === target.port)?.containerPort;
}

/** The bootstrap is an argument of a container, in which the kubelet would read `$(NAME)`. */
function literal(text: string): string {
  return text.replaceAll("$(", "$$$$(");
}
