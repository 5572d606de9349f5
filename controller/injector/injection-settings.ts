/** What every injected pod gets alike. */
export interface InjectionSettings {
  /** Of Seawall: injected pods are annotated with it. */
  readonly version: string;
  /** The control plane's own namespace, into which nothing is injected. */
  readonly systemNamespace: string;
  /** Holds Envoy and nft. */
  readonly image: string;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  /** A DNS name that the control plane's certificate holds. */
  readonly controlPlane: { readonly host: string; readonly port: number };
  /** As a container's `resources` has them. */
  readonly resources: ContainerResources;
  /** Envoy's worker threads. */
  readonly concurrency: number;
  /** Of Envoy's own log; the access log is another matter. */
  readonly logLevel: "error" | "warning" | "info" | "debug";
  /** False only where the nodes' kernel has no IPv6 at all. */
  readonly ipv6: boolean;
  /**
   * How long a container that is told to end goes on serving before it hears of it, in seconds: callers learn in the
   * meantime that the pod is gone. Only for containers that have no preStop of their own; 0 for none.
   */
  readonly farewellSeconds: number;
  /** Of the whole mesh, beside those that a pod asks for. */
  readonly excluded: Exclusions;
}

export interface ContainerResources {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}

/** Traffic that is not redirected to the sidecar. */
export interface Exclusions {
  readonly inboundPorts: readonly number[];
  readonly outboundPorts: readonly number[];
  /** Of either family. */
  readonly outboundCidrs: readonly string[];
}

export const NOTHING_EXCLUDED: Exclusions = { inboundPorts: [], outboundPorts: [], outboundCidrs: [] };
