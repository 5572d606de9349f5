import { once } from "node:events";
import { startClusterControlPlane } from "../../controller/cluster-main.ts";
import { readInjectionFile } from "../../controller/installation/injection-file.ts";
import { readMeshConfigFile } from "../../controller/installation/mesh-config.ts";
import { connectKubernetes } from "../../controller/kubernetes/connect.ts";
import type { TokenVerification } from "../../controller/token-review/projected-token-authenticator.ts";
import { type HostPort, showHostPort } from "../host-port.ts";
import { packageVersion } from "../package-version.ts";
import { type LogFormat, type LogLevel, logTo } from "../serve/log.ts";
import type { Terminal } from "../terminal.ts";

/** The nodes need a moment to learn that a replica ends. Well below the time that its pod has for that. */
const FAREWELL_MS = 8_000;

export interface ControllerOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace: string;
  readonly podName: string;
  readonly podIp: string;
  readonly clusterDomain: string;
  readonly injectionFile: string;
  readonly meshConfigFile?: string;
  readonly xdsAddress: HostPort;
  readonly webhookAddress: HostPort;
  readonly adminAddress: HostPort;
  readonly tokenFile: string;
  readonly tokenVerification: TokenVerification;
  /** Milliseconds; the CA's default when absent. */
  readonly leafTtl?: number;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

/** Runs a replica of a cluster's control plane until it is interrupted. Throws what startClusterControlPlane rejects with. */
export async function controller(options: ControllerOptions, terminal: Terminal): Promise<void> {
  const { namespace, kubeconfig, context, meshConfigFile } = options;
  const log = logTo(terminal.messages, { format: options.logFormat, level: options.logLevel });
  const stopping = terminal.interruption();
  const connection = await connectKubernetes({
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    environment: terminal.environment,
  });
  try {
    const controlPlane = await startClusterControlPlane({
      api: connection.api,
      place: { namespace, clusterDomain: options.clusterDomain, pod: options.podName, address: options.podIp },
      injection: readInjectionFile(options.injectionFile, {
        version: packageVersion(),
        systemNamespace: namespace,
        controlPlane: { host: `seawall.${namespace}.svc`, port: options.xdsAddress.port },
      }),
      ...(meshConfigFile === undefined ? {} : { meshConfig: readMeshConfigFile(meshConfigFile) }),
      xds: options.xdsAddress,
      webhook: options.webhookAddress,
      admin: options.adminAddress,
      tokenFile: options.tokenFile,
      tokenVerification: options.tokenVerification,
      ...(options.leafTtl === undefined ? {} : { leafLifetimeMs: options.leafTtl }),
      farewellMs: FAREWELL_MS,
      log,
      signal: stopping,
    });
    log("info", `the mesh has ${controlPlane.mesh.inventory.pods.size} pods; sidecars connect to ${showHostPort(controlPlane.xds)}`);
    log("info", `health, metrics and debugging are at http://${showHostPort(controlPlane.admin)}`);
    if (!stopping.aborted) await once(stopping, "abort");
    log("info", "stopping; sidecars go on with what they have");
    await controlPlane.stop();
  } finally {
    connection.close();
  }
}
