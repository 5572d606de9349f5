/**
 * The probes of a pod's containers. The kubelet has no identity, so it asks the sidecar, on a port that is not
 * redirected, at a path per probe; the sidecar asks the application. An HTTP probe is passed on as it is. Whether a port
 * takes connections, or answers a gRPC health check, is what a health-checked cluster knows: its state is the answer.
 */
import { type MessageInitShape } from "@bufbuild/protobuf";
import type { ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { HealthCheckSchema as ClusterHealthCheckSchema } from "../gen/envoy/config/core/v3/health_check_pb.js";
import type { ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { HealthCheckSchema } from "../gen/envoy/extensions/filters/http/health_check/v3/health_check_pb.js";
import type { HttpFilterSchema } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { UpstreamTlsContextSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { unreachable } from "../../crds/core/unreachable.ts";
import { socketAddress } from "./address.ts";
import { any } from "./any.ts";
import { protocolOptions, TO_APPLICATION } from "./cluster.ts";
import { fixedListener, forwardRoute } from "./fixed-listener.ts";
import { SIDECAR_PORTS } from "./sidecar-ports.ts";

/** What a probe asks of a container's port. */
export type ProbeCheck =
  /** `path` may have a query. The kubelet's own headers are passed on. */
  | { readonly kind: "http"; readonly scheme: "HTTP" | "HTTPS"; readonly path: string }
  | { readonly kind: "grpc"; readonly service?: string }
  | { readonly kind: "tcp" };

export interface SidecarProbe {
  /** The path on the probe port at which the kubelet asks, such as `/app/livez`: unique in the pod. */
  readonly path: string;
  /** The container's port. */
  readonly port: number;
  readonly check: ProbeCheck;
  /** How often the kubelet asks; the sidecar looks as often (tcp and grpc). Defaults to 10 as the kubelet's does. */
  readonly periodSeconds?: number;
  /** Defaults to 1 as the kubelet's does. */
  readonly timeoutSeconds?: number;
}

export interface ProbeTarget {
  readonly address: string;
}

const clusterName = (probe: SidecarProbe): string => `probe${probe.path}`;

export function probeListener(probes: readonly SidecarProbe[], ipv6: boolean): MessageInitShape<typeof ListenerSchema> {
  return fixedListener({
    name: "probes",
    port: SIDECAR_PORTS.probes,
    ipv6,
    filters: probes.flatMap((probe) => (probe.check.kind === "http" ? [] : [healthFilter(probe)])),
    routes: probes.flatMap(({ path, check }, index) => {
      const probe = probes[index];
      return check.kind === "http" && probe !== undefined ? [forwardRoute({ path, cluster: clusterName(probe), rewrite: check.path })] : [];
    }),
  });
}

/** Answers 200 while the probe's cluster is healthy, else 503. */
function healthFilter(probe: SidecarProbe): MessageInitShape<typeof HttpFilterSchema> {
  return {
    name: `health${probe.path}`,
    configType: {
      case: "typedConfig",
      value: any(HealthCheckSchema, {
        passThroughMode: false,
        headers: [
          {
            name: ":path",
            headerMatchSpecifier: { case: "stringMatch", value: { matchPattern: { case: "exact", value: probe.path } } },
          },
        ],
        clusterMinHealthyPercentages: { [clusterName(probe)]: { value: 100 } },
      }),
    },
  };
}

export function probeClusters(probes: readonly SidecarProbe[], target: ProbeTarget): MessageInitShape<typeof ClusterSchema>[] {
  return probes.map((probe) => {
    const name = clusterName(probe);
    const { check } = probe;
    return {
      name,
      connectTimeout: { seconds: BigInt(probe.timeoutSeconds ?? 1), nanos: 0 },
      upstreamBindConfig: TO_APPLICATION,
      loadAssignment: {
        clusterName: name,
        endpoints: [
          { lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address: socketAddress(target.address, probe.port) } } }] },
        ],
      },
      ...(check.kind === "grpc" ? { typedExtensionProtocolOptions: protocolOptions("http2") } : {}),
      ...(check.kind === "http" ? {} : { healthChecks: [healthCheck(probe, check)] }),
      // As the kubelet does, nothing of the certificate is checked.
      ...(check.kind === "http" && check.scheme === "HTTPS"
        ? { transportSocket: { name: "tls", configType: { case: "typedConfig", value: any(UpstreamTlsContextSchema, {}) } } }
        : {}),
    };
  });
}

function healthCheck(
  probe: SidecarProbe,
  check: Exclude<ProbeCheck, { readonly kind: "http" }>,
): MessageInitShape<typeof ClusterHealthCheckSchema> {
  const interval = { seconds: BigInt(probe.periodSeconds ?? 10), nanos: 0 };
  // The kubelet counts failures and successes; here the last look is the answer.
  const common = {
    timeout: { seconds: BigInt(probe.timeoutSeconds ?? 1), nanos: 0 },
    interval,
    noTrafficInterval: interval,
    noTrafficHealthyInterval: interval,
    unhealthyInterval: { seconds: 1n, nanos: 0 },
    unhealthyThreshold: 1,
    healthyThreshold: 1,
    reuseConnection: false,
  };
  switch (check.kind) {
    case "tcp":
      return { ...common, healthChecker: { case: "tcpHealthCheck", value: {} } };
    case "grpc": {
      // Else it would be the cluster's name, which servers that know what an authority looks like refuse for its slashes.
      const authority = `localhost:${probe.port}`;
      return { ...common, healthChecker: { case: "grpcHealthCheck", value: { serviceName: check.service ?? "", authority } } };
    }
    default:
      return unreachable(check);
  }
}
