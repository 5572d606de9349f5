import { once } from "node:events";
import { resolve } from "node:path";
import { startControlPlane } from "../../controller/main.ts";
import { type HostPort, showHostPort } from "../host-port.ts";
import type { Terminal } from "../terminal.ts";
import { type LogFormat, type LogLevel, logTo } from "./log.ts";

export interface ServeOptions {
  readonly configDir: string;
  readonly stateDir: string;
  readonly xdsAddress: HostPort;
  readonly adminAddress: HostPort;
  /** Milliseconds; the CA's default when absent. */
  readonly leafTtl?: number;
  readonly insecureXds: boolean;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

/** Runs the control plane until it is interrupted. Throws what startControlPlane rejects with. */
export async function serve(options: ServeOptions, terminal: Terminal): Promise<void> {
  const log = logTo(terminal.messages, { format: options.logFormat, level: options.logLevel });
  const stopping = terminal.interruption();
  const controlPlane = await startControlPlane({
    configFolder: resolve(options.configDir),
    stateFolder: resolve(options.stateDir),
    xds: options.xdsAddress,
    admin: options.adminAddress,
    insecureXds: options.insecureXds,
    ...(options.leafTtl === undefined ? {} : { leafLifetimeMs: options.leafTtl }),
    log,
  });
  const { xds, admin, mesh } = controlPlane;
  log("info", `the mesh has ${mesh.inventory.pods.size} pods; sidecars connect to ${showHostPort(xds)}`);
  log("info", `health, metrics and debugging are at http://${showHostPort(admin)}`);
  log("info", `sidecars trust ${resolve(options.stateDir, "trust.pem")}; make their tokens: seawall token create <namespace>/<pod>`);
  if (!stopping.aborted) await once(stopping, "abort");
  log("info", "stopping; sidecars go on with what they have");
  await controlPlane.stop();
}
