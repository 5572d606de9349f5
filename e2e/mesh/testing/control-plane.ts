/** The control plane of a test: in this process, or in one of its own that can be killed. Both on fixed ports, so that it can come back. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { seawallServe } from "./serve-process.ts";
import type { Clock } from "../../../ca/clock.ts";
import { startControlPlane } from "../../../controller/main.ts";

export interface ControlPlaneSettings {
  readonly configFolder: string;
  readonly stateFolder: string;
  readonly address: string;
  readonly leafLifetimeMs?: number;
  /** Of a control plane in this process. */
  readonly tokenClock?: Clock;
  readonly kind: "in-process" | "child-process";
}

export interface RunningControlPlane {
  /** Lines of its log. */
  readonly log: () => readonly string[];
  stop(): Promise<void>;
  /** SIGKILL, and the end of the process. Only a child process can be killed. */
  kill(): Promise<void>;
}

export const XDS_PORT = 15012;
export const ADMIN_PORT = 15014;

/** Resolves when it serves. */
export async function runControlPlane(settings: ControlPlaneSettings): Promise<RunningControlPlane> {
  if (settings.kind === "child-process") return seawallServe(settings, { xds: XDS_PORT, admin: ADMIN_PORT });
  const lines: string[] = [];
  const running = await startControlPlane({
    configFolder: settings.configFolder,
    stateFolder: settings.stateFolder,
    xds: { host: settings.address, port: XDS_PORT },
    admin: { host: settings.address, port: ADMIN_PORT },
    insecureXds: false,
    ...(settings.leafLifetimeMs === undefined ? {} : { leafLifetimeMs: settings.leafLifetimeMs }),
    ...(settings.tokenClock === undefined ? {} : { tokenClock: settings.tokenClock }),
    log: (level, message) => void lines.push(`${level} ${message}`),
  });
  return {
    log: () => lines,
    stop: () => running.stop(),
    kill: () => Promise.reject(new Error("a control plane in this process cannot be killed: start the mesh with a child process")),
  };
}

/** The roots that sidecars trust. */
export function trustFile(stateFolder: string): string {
  const file = join(stateFolder, "trust.pem");
  if (!existsSync(file)) throw new Error("the control plane has written no roots");
  return file;
}
