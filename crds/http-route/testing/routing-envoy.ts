/** A real Envoy with the outbound connection manager of a sidecar, whose virtual hosts hold the routes under test. */
import { create, type JsonValue } from "@bufbuild/protobuf";
import { Http1Client } from "../../../e2e/support/http1-client.ts";
import { type RunningEnvoy, startEnvoy } from "../../../e2e/support/envoy.ts";
import { startUpstream, type Upstream } from "../../../e2e/support/upstream.ts";
import { outboundHttpLog } from "../../../xds-server/envoy/access-log.ts";
import { applicationCluster } from "../../../xds-server/envoy/cluster.ts";
import { outboundHttpConnectionManager } from "../../../xds-server/envoy/http-connection.ts";
import { networkFilter, outboundListener } from "../../../xds-server/envoy/listener.ts";
import { envoyJson } from "../../../xds-server/envoy/yaml.ts";
import { ClusterSchema } from "../../../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ListenerSchema } from "../../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";
import type { Route } from "../../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { NO_ACCESS_CHECK } from "../../../controller/mesh/rbac.ts";
import type { ServicePortAddress } from "../../core/route/services.ts";

export interface RoutingEnvoy {
  readonly envoy: RunningEnvoy;
  readonly client: Http1Client;
  /** The applications, by the name of their service. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
}

const SERVICES = ["orders", "orders-v2", "audit"] as const;

export const clusterName = (port: ServicePortAddress): string => `outbound/${port.namespace}/${port.service}/${port.port}`;

/** One virtual host for each entry: its domain is the key, its routes are those of a service port. */
export async function startRoutingEnvoy(hosts: Readonly<Record<string, readonly Route[]>>): Promise<RoutingEnvoy> {
  const upstreams = new Map<string, Upstream>();
  for (const name of SERVICES) upstreams.set(name, await startUpstream({ name }));
  const envoy = await startEnvoy({
    config: {
      static_resources: {
        listeners: [listener(hosts)],
        clusters: [...upstreams].map(([service, { address, port }]) => {
          const name = clusterName({ namespace: "shop", service, port: 80 });
          return envoyJson(ClusterSchema, applicationCluster(name, address, port, "http1"));
        }),
      },
    },
  });
  await envoy.waitReady();
  return { envoy, upstreams, client: new Http1Client({ port: await envoy.listenerPort("outbound") }) };
}

/** The sidecar's own listener, with its route table written in place. */
function listener(hosts: Readonly<Record<string, readonly Route[]>>): JsonValue {
  const manager = outboundHttpConnectionManager({ routeConfigName: "outbound", accessLog: outboundHttpLog("shop/web") });
  const dynamic = outboundListener({
    name: "outbound",
    bind: { address: "127.0.0.1", port: 0 },
    filters: [networkFilter("http", manager)],
  });
  const routes = create(RouteConfigurationSchema, {
    name: "outbound",
    validateClusters: false,
    virtualHosts: Object.entries(hosts).map(([host, routes]) => ({
      name: host,
      domains: [host, `${host}:*`],
      typedPerFilterConfig: { visibility: NO_ACCESS_CHECK },
      routes: [...routes],
    })),
  });
  return inline(envoyJson(ListenerSchema, dynamic), envoyJson(RouteConfigurationSchema, routes));
}

function inline(value: JsonValue, routes: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map((item) => inline(item, routes));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => (name === "rds" ? ["route_config", routes] : [name, inline(item, routes)])),
  );
}
