/**
 * What becomes of a pod that is made in a namespace of the mesh. Its init containers are, in this order: the redirect; the
 * sidecar, which goes on running; then the pod's own, which therefore talk through the sidecar like everything after them.
 */
import type { Violation } from "../../crds/core/violation.ts";
import { workloadName } from "../model/workload.ts";
import { INJECTED, PROBES, withoutInjection } from "./earlier-injection.ts";
import { obstacles, skipped } from "./eligibility.ts";
import { readExclusions, together } from "./exclusions.ts";
import type { InjectionSettings } from "./injection-settings.ts";
import type { Container, PodTemplate } from "./pod-template.ts";
import { rewriteProbes } from "./rewrite-probes.ts";
import { redirectContainer, sidecarContainer, TOKEN_VOLUME_SOURCE } from "./sidecar-containers.ts";

export type Injection =
  | { readonly kind: "injected"; readonly pod: PodTemplate }
  /** The pod is made as it is. */
  | { readonly kind: "skipped"; readonly reason: string; readonly unexpected: boolean }
  /** The pod must not be made. */
  | { readonly kind: "refused"; readonly violations: readonly Violation[] };

export interface Making {
  /** Where the pod is made: a pod that comes to admission need not say so itself. */
  readonly namespace: string;
  /** Of this pod alone, and not to be guessed: see `farewellKey` of the bootstrap. */
  readonly farewellKey: string;
}

export function injectPod(pod: PodTemplate, { namespace, farewellKey }: Making, settings: InjectionSettings): Injection {
  const skip = skipped(pod, namespace, settings.systemNamespace);
  if (skip !== undefined) return { kind: "skipped", ...skip };
  const violations: Violation[] = [];
  const restored = withoutInjection(pod, violations);
  const { metadata = {}, spec = {} } = restored.pod;
  violations.push(...obstacles(restored.pod));
  const annotations = metadata.annotations ?? {};
  const excluded = together(settings.excluded, readExclusions(annotations, violations));
  if (violations.length > 0) return { kind: "refused", violations };

  const context = { unredirected: new Set(excluded.inboundPorts), earlier: restored.probes };
  const rewrite = (containers: readonly Container[] = []): readonly ReturnType<typeof rewriteProbes>[] =>
    containers.map((container) => rewriteProbes(container, context));
  const initContainers = rewrite(spec.initContainers);
  const containers = rewrite(spec.containers);
  const probes = [...initContainers, ...containers].flatMap((rewritten) => rewritten.probes);
  const farewell = farewellSeconds(pod, settings);
  const nodeCluster = `${namespace}/${workloadName(metadata.labels ?? {}, spec.serviceAccountName ?? "default")}`;
  return {
    kind: "injected",
    pod: {
      ...pod,
      metadata: { ...metadata, annotations: { ...annotations, [INJECTED]: settings.version, [PROBES]: JSON.stringify(probes) } },
      spec: {
        ...spec,
        initContainers: [
          redirectContainer(settings, excluded),
          sidecarContainer(settings, { nodeCluster, probes, farewellKey }),
          ...initContainers.map(({ container }) => container),
        ],
        containers: containers.map(({ container }) => withFarewell(container, farewell)),
        volumes: [...(spec.volumes ?? []), TOKEN_VOLUME_SOURCE],
      },
    },
  };
}

/** A Job's pod serves nobody; nor can the farewell last as long as the pod has time to end. */
function farewellSeconds({ metadata = {}, spec = {} }: PodTemplate, { farewellSeconds: seconds }: InjectionSettings): number {
  const ofJob = metadata.ownerReferences?.some(({ kind }) => kind === "Job") === true;
  return ofJob || seconds >= (spec.terminationGracePeriodSeconds ?? 30) ? 0 : seconds;
}

function withFarewell(container: Container, seconds: number): Container {
  if (seconds === 0 || container.lifecycle?.preStop !== undefined) return container;
  return { ...container, lifecycle: { ...container.lifecycle, preStop: { sleep: { seconds } } } };
}
