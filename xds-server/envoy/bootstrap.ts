/**
 * The bootstrap of a standalone sidecar: who it is, where its control plane is and how it proves itself to it.
 * Everything else comes over the one ADS stream.
 */
import { create } from "@bufbuild/protobuf";
import { type Bootstrap, BootstrapSchema } from "../gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { type ControlPlaneConnection, controlPlaneCluster, EVERYTHING_BY_ADS } from "./control-plane-cluster.ts";
import { SIDECAR_RUNTIME } from "./runtime.ts";

export interface SidecarBootstrap extends ControlPlaneConnection {
  /** `namespace/pod`. It labels what the sidecar says; the control plane believes the token alone. */
  readonly nodeId: string;
  readonly nodeCluster: string;
  /** Path of a UNIX socket, shorter than 100 bytes, that only this user may use. */
  readonly adminSocket: string;
}

/** The bootstrap of a sidecar. It holds no secret: the token stays in its file. */
export function sidecarBootstrap(sidecar: SidecarBootstrap): Bootstrap {
  return create(BootstrapSchema, {
    node: { id: sidecar.nodeId, cluster: sidecar.nodeCluster, metadata: { adminSocket: sidecar.adminSocket } },
    admin: { address: { address: { case: "pipe", value: { path: sidecar.adminSocket, mode: 0o600 } } } },
    dynamicResources: EVERYTHING_BY_ADS,
    layeredRuntime: { layers: [{ name: "sidecar", layerSpecifier: { case: "staticLayer", value: SIDECAR_RUNTIME } }] },
    staticResources: { clusters: [controlPlaneCluster(sidecar)] },
  });
}
