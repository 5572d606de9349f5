/** Which pods get no sidecar, and which must not be made as they are. */
import { fieldAt, itemAt } from "../../crds/core/field-path.ts";
import { violation, type Violation } from "../../crds/core/violation.ts";
import { SIDECAR_UID } from "../../xds-server/envoy/sidecar-ports.ts";
import { REDIRECT_CONTAINER, SIDECAR_CONTAINER } from "../model/pod.ts";
import type { Container, PodTemplate } from "./pod-template.ts";
import { TOKEN_VOLUME } from "./sidecar-containers.ts";

/** On a pod, `"false"` as annotation or label: no sidecar. */
export const OPT_OUT = "seawall.dev/inject";

/** Ports that belong to the sidecar, with room for those of later versions. */
const FIRST_PORT = 15000;
const LAST_PORT = 15090;

export interface Skip {
  readonly reason: string;
  /** Whoever makes the pod may not expect it. */
  readonly unexpected: boolean;
}

/** Why a pod gets no sidecar; undefined when it gets one. */
export function skipped(pod: PodTemplate, namespace: string, systemNamespace: string): Skip | undefined {
  const { metadata = {}, spec = {} } = pod;
  if (namespace === systemNamespace) return { reason: "Seawall's own namespace is never injected", unexpected: true };
  if (metadata.annotations?.[OPT_OUT] === "false" || metadata.labels?.[OPT_OUT] === "false") {
    return { reason: `it says ${OPT_OUT}: "false"`, unexpected: false };
  }
  if (spec.hostNetwork === true) {
    return {
      reason: "it has no sidecar since it uses the node's network: policies do not protect it, and it has no identity in the mesh",
      unexpected: true,
    };
  }
  if (spec.os?.name === "windows" || spec.nodeSelector?.["kubernetes.io/os"] === "windows") {
    return { reason: "it has no sidecar since it is for Windows: policies do not protect it", unexpected: true };
  }
  return undefined;
}

/** Everything about a pod that would let it pass by its sidecar, or stand in its way. */
export function obstacles({ spec = {} }: PodTemplate): Violation[] {
  const found: Violation[] = [];
  const forbidUser = (holder: { readonly runAsUser?: number } | undefined, path: string): void => {
    if (holder?.runAsUser !== SIDECAR_UID) return;
    const message = `user ${SIDECAR_UID} is the sidecar's, whose connections are not redirected: choose another`;
    found.push(violation(fieldAt(path, "runAsUser"), "Conflict", message));
  };
  const examine = (containers: readonly Container[] | undefined, path: string): void => {
    containers?.forEach((container, index) => {
      const at = itemAt(path, index);
      if (container.name === REDIRECT_CONTAINER || container.name === SIDECAR_CONTAINER) {
        found.push(violation(fieldAt(at, "name"), "Conflict", `Seawall adds a container named ${container.name}: rename yours`));
      }
      forbidUser(container.securityContext, fieldAt(at, "securityContext"));
      container.ports?.forEach(({ containerPort, protocol }, port) => {
        if ((protocol ?? "TCP") !== "TCP" || containerPort < FIRST_PORT || containerPort > LAST_PORT) return;
        const message = `TCP ports ${FIRST_PORT} to ${LAST_PORT} are the sidecar's: choose another`;
        found.push(violation(fieldAt(itemAt(fieldAt(at, "ports"), port), "containerPort"), "Conflict", message));
      });
    });
  };
  forbidUser(spec.securityContext, "spec.securityContext");
  examine(spec.initContainers, "spec.initContainers");
  examine(spec.containers, "spec.containers");
  spec.volumes?.forEach(({ name }, index) => {
    if (name !== TOKEN_VOLUME) return;
    found.push(violation(fieldAt(itemAt("spec.volumes", index), "name"), "Conflict", `Seawall adds a volume named ${name}: rename yours`));
  });
  return found;
}
