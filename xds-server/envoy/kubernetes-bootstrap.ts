/**
 * The bootstrap of an injected sidecar. Besides what a standalone one has, it answers the kubelet: whether the sidecar is
 * configured, and the probes of the pod's containers, which it passes on to them.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Bootstrap, BootstrapSchema } from "../gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import type { ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { InternalListenerSchema } from "../gen/envoy/extensions/bootstrap/internal_listener/v3/internal_listener_pb.js";
import { socketAddress } from "./address.ts";
import { any } from "./any.ts";
import { controlPlaneCluster, EVERYTHING_BY_ADS, rootsSecretFile, tokenReferenceFile } from "./control-plane-cluster.ts";
import { fixedListener, type ForwardRoute, forwardRoute } from "./fixed-listener.ts";
import { type ProbeTarget, probeClusters, probeListener, type SidecarProbe } from "./probe-listener.ts";
import { SIDECAR_RUNTIME } from "./runtime.ts";
import { SIDECAR_PORTS } from "./sidecar-ports.ts";

export type { SidecarProbe } from "./probe-listener.ts";

/** The folder in which an injected sidecar finds `token`, `ca.pem` and {@link SIDECAR_FILES}: one volume, swapped as a whole. */
export const SIDECAR_FOLDER = "/var/run/secrets/seawall";

/** Files by name that stand beside the token and the roots: they tell Envoy to read, and to keep reading, those. No secrets. */
export const SIDECAR_FILES: Readonly<Record<string, string>> = {
  "token.json": JSON.stringify(tokenReferenceFile(`${SIDECAR_FOLDER}/token`)),
  "trust.json": JSON.stringify(rootsSecretFile(`${SIDECAR_FOLDER}/ca.pem`)),
};

export interface KubernetesBootstrap {
  /** `<namespace>/<workload>`, as `workloadName` of controller/model says. */
  readonly nodeCluster: string;
  /** A DNS name that the control plane's certificate holds, such as `seawall.seawall-system.svc`. */
  readonly controlPlane: { readonly host: string; readonly port: number };
  /** The probes of the pod's containers; their paths are unique. */
  readonly probes: readonly SidecarProbe[];
  /**
   * Where probes find the application: the pod's address, which is not known when the pod is made, so text that becomes
   * it, such as `$(POD_IP)` in a container's arguments.
   */
  readonly podAddress: string;
  /** Who asks for {@link farewellPath} with it begins the sidecar's farewell: nobody else may know it. */
  readonly farewellKey: string;
  /** Whether sockets may be opened for IPv6 as well. False only where the nodes' kernel has no IPv6 at all. */
  readonly ipv6: boolean;
}

const ADMIN_CLUSTER = "admin";

/**
 * At which the kubelet, which can only ask, tells the sidecar on its readiness port that the pod is going to end.
 * From then on callers are asked to come back on another connection, which no longer leads to this pod.
 */
export function farewellPath(key: string): string {
  return `/farewell/${key}`;
}

/** Every connection is told at its next answer; nothing is refused, and Envoy goes on. */
const ASK_CALLERS_TO_LEAVE = "/drain_listeners?inboundonly&graceful&skip_exit";

/** The bootstrap of an injected sidecar; its node id is given by {@link sidecarArguments}. It holds no secret. */
export function kubernetesBootstrap(sidecar: KubernetesBootstrap): Bootstrap {
  const target: ProbeTarget = { address: sidecar.podAddress };
  const listener = (name: string, port: number, ...routes: readonly Omit<ForwardRoute, "cluster">[]): ReturnType<typeof fixedListener> =>
    fixedListener({
      ...{ name, port, ipv6: sidecar.ipv6, filters: [] },
      routes: routes.map((route) => forwardRoute({ ...route, cluster: ADMIN_CLUSTER })),
    });
  const farewell = { path: farewellPath(sidecar.farewellKey), rewrite: ASK_CALLERS_TO_LEAVE, asPost: true } as const;
  return create(BootstrapSchema, {
    node: { cluster: sidecar.nodeCluster },
    admin: { address: socketAddress("127.0.0.1", SIDECAR_PORTS.admin) },
    dynamicResources: EVERYTHING_BY_ADS,
    layeredRuntime: { layers: [{ name: "sidecar", layerSpecifier: { case: "staticLayer", value: SIDECAR_RUNTIME } }] },
    bootstrapExtensions: [{ name: "envoy.bootstrap.internal_listener", typedConfig: any(InternalListenerSchema, {}) }],
    staticResources: {
      clusters: [
        controlPlaneCluster({
          controlPlane: sidecar.controlPlane,
          trust: {
            kind: "rotating-tls",
            serverName: sidecar.controlPlane.host,
            file: `${SIDECAR_FOLDER}/trust.json`,
            folder: SIDECAR_FOLDER,
          },
          tokenFile: `${SIDECAR_FOLDER}/token.json`,
          tokenFolder: SIDECAR_FOLDER,
        }),
        adminCluster(),
        ...probeClusters(sidecar.probes, target),
      ],
      listeners: [
        listener("readiness", SIDECAR_PORTS.readiness, { path: "/ready" }, farewell),
        listener("metrics", SIDECAR_PORTS.metrics, { path: "/stats/prometheus" }),
        ...(sidecar.probes.length === 0 ? [] : [probeListener(sidecar.probes, sidecar.ipv6)]),
      ],
    },
  });
}

function adminCluster(): MessageInitShape<typeof ClusterSchema> {
  return {
    name: ADMIN_CLUSTER,
    connectTimeout: { seconds: 1n, nanos: 0 },
    loadAssignment: {
      clusterName: ADMIN_CLUSTER,
      endpoints: [
        {
          lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address: socketAddress("127.0.0.1", SIDECAR_PORTS.admin) } } }],
        },
      ],
    },
  };
}

export interface SidecarArguments {
  /** `<namespace>/<pod>`. */
  readonly nodeId: string;
  /** Worker threads. */
  readonly concurrency?: number;
  /** How long connections of a replaced listener may go on. */
  readonly drainSeconds?: number;
  readonly logLevel?: "error" | "warning" | "info" | "debug";
}

/** What Envoy is started with beside its configuration. */
export function sidecarArguments({ nodeId, concurrency = 2, drainSeconds = 45, logLevel = "warning" }: SidecarArguments): string[] {
  return [
    ...["--service-node", nodeId],
    ...["--concurrency", String(concurrency)],
    // At once: the farewell is shorter than the time over which callers would be told one by one.
    ...["--drain-time-s", String(drainSeconds), "--drain-strategy", "immediate"],
    "--disable-hot-restart",
    ...["--log-level", logLevel],
  ];
}
