import type { Clock } from "../ca/clock.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Takes one line at a time, without a line end. */
export type Log = (level: LogLevel, message: string) => void;

export interface ControlPlaneOptions {
  /** The folder of YAML that is the source of every object. */
  readonly configFolder: string;
  /** The folder, mode 0700, that keeps the CA, the token key and what else must outlive a restart. */
  readonly stateFolder: string;
  /** Where sidecars connect. Port 0 lets the system choose. */
  readonly xds: { readonly host: string; readonly port: number };
  /** Health, metrics and debugging. */
  readonly admin: { readonly host: string; readonly port: number };
  /** Serves xDS without TLS, which is for measuring and refused on any address but a loopback one. */
  readonly insecureXds: boolean;
  /** Milliseconds that a workload certificate is valid for; the CA's default when absent. */
  readonly leafLifetimeMs?: number;
  /** By which join tokens run out, and the streams that were opened with them; the system's when absent. */
  readonly tokenClock?: Clock;
  readonly log: Log;
}
