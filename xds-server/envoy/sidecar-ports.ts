/** The ports of an injected sidecar, and where it finds what the pod gives it: known to the injector, the mesh and the CLI. */
export const SIDECAR_PORTS = {
  /** Envoy's admin, on loopback. */
  admin: 15000,
  /** Where the pod's outgoing connections are redirected to. */
  outbound: 15001,
  /** Where connections to the pod are redirected to. */
  inbound: 15006,
  /** Answers the probes of the pod's containers. */
  probes: 15020,
  /** `/ready`: the sidecar has its configuration. */
  readiness: 15021,
  /** `/stats/prometheus`. */
  metrics: 15090,
} as const;

/** Sidecar ports that are reached from outside of the pod as they are. */
export const UNREDIRECTED_PORTS: readonly number[] = [
  SIDECAR_PORTS.admin,
  SIDECAR_PORTS.probes,
  SIDECAR_PORTS.readiness,
  SIDECAR_PORTS.metrics,
];

/** The user that a sidecar runs as, whose connections are not redirected. */
export const SIDECAR_UID = 1337;

/**
 * The priority (SO_PRIORITY) of the sidecar's connections to its own application. They go to the pod's own address, as
 * those of a pod that calls its own Service do: the redirect lets the ones with this priority pass.
 */
export const APPLICATION_PRIORITY = 6;
