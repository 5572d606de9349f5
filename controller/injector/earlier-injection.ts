/**
 * A pod that was injected before: in the same request, before another webhook added to it, or in its manifest's past life.
 * It is taken back to what it was, and injected anew, so that nothing that came in between passes by the sidecar.
 */
import { fieldAt } from "../../crds/core/field-path.ts";
import { violation, type Violation } from "../../crds/core/violation.ts";
import type { SidecarProbe } from "../../xds-server/envoy/kubernetes-bootstrap.ts";
import { REDIRECT_CONTAINER, SIDECAR_CONTAINER } from "../model/pod.ts";
import type { PodTemplate } from "./pod-template.ts";
import { TOKEN_VOLUME } from "./sidecar-containers.ts";

/** On an injected pod: the version of Seawall that injected it. */
export const INJECTED = "seawall.dev/injected";

/** On an injected pod: what its rewritten probes ask of its containers, as JSON. */
export const PROBES = "seawall.dev/probes";

export interface Restored {
  readonly pod: PodTemplate;
  /** By the path at which the kubelet asks. */
  readonly probes: ReadonlyMap<string, SidecarProbe>;
}

/** The pod without what an earlier injection added; its probes still ask the sidecar. What is wrong is added to `found`. */
export function withoutInjection(pod: PodTemplate, found: Violation[]): Restored {
  const { metadata = {}, spec = {} } = pod;
  const annotations = metadata.annotations ?? {};
  const names = new Set((spec.initContainers ?? []).map(({ name }) => name));
  if (annotations[INJECTED] === undefined || !names.has(REDIRECT_CONTAINER) || !names.has(SIDECAR_CONTAINER)) {
    return { pod, probes: new Map() };
  }
  const restored: PodTemplate = {
    ...pod,
    spec: {
      ...spec,
      initContainers: spec.initContainers?.filter(({ name }) => name !== REDIRECT_CONTAINER && name !== SIDECAR_CONTAINER) ?? [],
      volumes: spec.volumes?.filter(({ name }) => name !== TOKEN_VOLUME) ?? [],
    },
  };
  return { pod: restored, probes: readProbes(annotations[PROBES], found) };
}

function readProbes(text: string | undefined, found: Violation[]): ReadonlyMap<string, SidecarProbe> {
  if (text === undefined) return new Map();
  try {
    const probes: unknown = JSON.parse(text);
    if (Array.isArray(probes) && probes.every(isProbe)) return new Map(probes.map((probe) => [probe.path, probe]));
  } catch {
    // It is told below.
  }
  const message = "is not what Seawall wrote: remove it, and the sidecar's containers with it";
  found.push(violation(fieldAt("metadata.annotations", PROBES), "Malformed", message));
  return new Map();
}

function isProbe(value: unknown): value is SidecarProbe {
  if (typeof value !== "object" || value === null) return false;
  const { path, port, check, periodSeconds = 1, timeoutSeconds = 1 } = value as Readonly<Record<string, unknown>>;
  if (typeof path !== "string" || !path.startsWith("/") || ![port, periodSeconds, timeoutSeconds].every(Number.isSafeInteger)) return false;
  if (typeof check !== "object" || check === null) return false;
  const { kind, scheme, path: asked, service = "" } = check as Readonly<Record<string, unknown>>;
  switch (kind) {
    case "http":
      return (scheme === "HTTP" || scheme === "HTTPS") && typeof asked === "string" && asked.startsWith("/");
    case "grpc":
      return typeof service === "string";
    default:
      return kind === "tcp";
  }
}
