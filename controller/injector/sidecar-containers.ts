/** What an injected pod has that others have not: the redirect, the sidecar, and the volume with its token. */
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import {
  farewellPath,
  kubernetesBootstrap,
  sidecarArguments,
  SIDECAR_FOLDER,
  type SidecarProbe,
} from "../../xds-server/envoy/kubernetes-bootstrap.ts";
import { SIDECAR_PORTS, SIDECAR_UID } from "../../xds-server/envoy/sidecar-ports.ts";
import { BootstrapSchema } from "../../xds-server/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { TRUST_CONFIG_MAP } from "../cluster-state/trust-config-map.ts";
import { REDIRECT_CONTAINER, SIDECAR_CONTAINER } from "../model/pod.ts";
import { TOKEN_AUDIENCE } from "../token-review/token-claims.ts";
import type { Exclusions, InjectionSettings } from "./injection-settings.ts";
import type { Container, OtherFields } from "./pod-template.ts";
import { redirectRules } from "./redirect-rules.ts";

export const TOKEN_VOLUME = "seawall-token";

/** The kubelet renews a token long before it ends. */
const TOKEN_LIFETIME_SECONDS = 3600;

const ENVOY = "/usr/local/bin/envoy";
const NFT = "/usr/sbin/nft";

/** Least privilege for both, but for what is added. */
const CONFINED = {
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
  seccompProfile: { type: "RuntimeDefault" },
} as const;

/** Sets up the redirect in the pod's network namespace, and ends. It must come before every container that talks. */
export function redirectContainer(settings: InjectionSettings, excluded: Exclusions): Container {
  return {
    name: REDIRECT_CONTAINER,
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    command: [NFT],
    args: [redirectRules(excluded)],
    resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "64Mi" } },
    securityContext: {
      ...CONFINED,
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] },
    },
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

/** What a sidecar is told of its pod. */
export interface SidecarOf {
  readonly nodeCluster: string;
  readonly probes: readonly SidecarProbe[];
  readonly farewellKey: string;
}

/** Envoy, as a restartable init container: whatever comes after it starts when it is configured, and ends before it. */
export function sidecarContainer(settings: InjectionSettings, pod: SidecarOf): Container {
  const bootstrap = kubernetesBootstrap({
    ...pod,
    controlPlane: settings.controlPlane,
    podAddress: "$(POD_IP)",
    ipv6: settings.ipv6,
  });
  const ready = { path: "/ready", port: SIDECAR_PORTS.readiness, scheme: "HTTP" };
  return {
    name: SIDECAR_CONTAINER,
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    restartPolicy: "Always",
    command: [ENVOY],
    args: [
      ...sidecarArguments({ nodeId: "$(POD_NAMESPACE)/$(POD_NAME)", concurrency: settings.concurrency, logLevel: settings.logLevel }),
      "--config-yaml",
      JSON.stringify(envoyJson(BootstrapSchema, bootstrap)),
    ],
    env: [
      { name: "POD_NAMESPACE", valueFrom: fieldRef("metadata.namespace") },
      { name: "POD_NAME", valueFrom: fieldRef("metadata.name") },
      { name: "POD_IP", valueFrom: fieldRef("status.podIP") },
    ],
    ports: [{ name: "seawall-metrics", containerPort: SIDECAR_PORTS.metrics, protocol: "TCP" }],
    // Ten minutes: a control plane that is being installed, or is away, must not make sidecars restart in turns.
    startupProbe: { httpGet: ready, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 600 },
    readinessProbe: { httpGet: ready, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
    // When the pod is told to end, at once with the preStop of its containers; the sidecar itself ends after them.
    lifecycle: { preStop: { httpGet: { path: farewellPath(pod.farewellKey), port: SIDECAR_PORTS.readiness, scheme: "HTTP" } } },
    resources: settings.resources,
    securityContext: {
      ...CONFINED,
      runAsUser: SIDECAR_UID,
      runAsGroup: SIDECAR_UID,
      runAsNonRoot: true,
      capabilities: { drop: ["ALL"] },
    },
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [{ name: TOKEN_VOLUME, mountPath: SIDECAR_FOLDER, readOnly: true }],
  };
}

/** Token and roots in one volume: the kubelet swaps it as a whole, so no reader finds half of a change. */
export const TOKEN_VOLUME_SOURCE: OtherFields & { readonly name: string } = {
  name: TOKEN_VOLUME,
  projected: {
    sources: [
      { serviceAccountToken: { audience: TOKEN_AUDIENCE, expirationSeconds: TOKEN_LIFETIME_SECONDS, path: "token" } },
      { configMap: { name: TRUST_CONFIG_MAP } },
    ],
  },
};

function fieldRef(fieldPath: string): OtherFields {
  return { fieldRef: { apiVersion: "v1", fieldPath } };
}
