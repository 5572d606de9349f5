/** What routes do to the callers of their services. */
import { create, type JsonObject } from "@bufbuild/protobuf";
import { ROUTE_KINDS } from "../../crds/core/route/services.ts";
import type { MeshRoute } from "../../crds/routes.ts";
import { type TcpChain, tcpProxyOf } from "../../crds/tcp-route/translate.ts";
import type { Mesh } from "../../controller/mesh/mesh.ts";
import { serviceVirtualHost } from "../../controller/mesh/outbound.ts";
import type { ServiceRoutes } from "../../controller/mesh/service-routes.ts";
import type { SourceEntry } from "../../controller/model/source-entry.ts";
import { any } from "../../xds-server/envoy/any.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { TypedExtensionConfigSchema } from "../../xds-server/gen/envoy/config/core/v3/extension_pb.js";
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { TcpProxySchema } from "../../xds-server/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";

/** The routes among the entries that hold. */
export function routesAmong(entries: ReadonlyMap<string, SourceEntry>): readonly MeshRoute[] {
  return [...entries].flatMap(([key, entry]) =>
    entry.state === "valid" && ROUTE_KINDS.some((kind) => key.startsWith(`${kind}/`)) ? [entry.object as MeshRoute] : [],
  );
}

export interface TranslatedRoutes {
  /** `callers of <namespace>/<service>/<port>`, in a namespace where the routes are that namespace's own. */
  readonly of: string;
  readonly resource: JsonObject;
}

/** Of every service port that one of the routes names as its parent: its route table, or where its connections go. */
export function translateRoutes(mesh: Mesh, routes: readonly MeshRoute[]): readonly TranslatedRoutes[] {
  const parents = new Set(
    routes.flatMap(({ metadata, spec }) =>
      (spec.parentRefs ?? []).map(({ namespace = metadata.namespace ?? "default", name }) => `${namespace}/${name}`),
    ),
  );
  const { http, httpConsumer, tcp, tcpConsumer } = mesh.routes;
  const named = [...http.entries()].filter(([, { ref }]) => parents.has(`${ref.namespace}/${ref.service}`));
  return [
    ...[...named, ...httpConsumer.entries()].map(([key, table]) => ({ of: callersOf(key), resource: routeTable(table) })),
    ...[...tcp.entries(), ...tcpConsumer.entries()].flatMap(([key, { chains }]) =>
      chains.map((chain) => ({ of: callersOf(key, chain), resource: connections(chain) })),
    ),
  ].sort((a, b) => (a.of < b.of ? -1 : a.of > b.of ? 1 : 0));
}

/** `key` is of a service port, or of one for the callers of a namespace: `<namespace>|<service port>`. */
function callersOf(key: string, chain?: TcpChain): string {
  const [port = "", namespace] = key.split("|").reverse();
  const where = namespace === undefined ? "" : ` in ${namespace}`;
  const names = chain === undefined || chain.serverNames.length === 0 ? "" : ` as ${chain.serverNames.join(", ")}`;
  return `callers of ${port}${names}${where}`;
}

function routeTable({ ref, routes }: ServiceRoutes): JsonObject {
  const message = create(RouteConfigurationSchema, {
    name: "outbound",
    virtualHosts: [serviceVirtualHost(ref, ref.namespace, routes)],
  });
  const type = `type.googleapis.com/${RouteConfigurationSchema.typeName}`;
  return { "@type": type, ...envoyJson(RouteConfigurationSchema, message) };
}

function connections(chain: TcpChain): JsonObject {
  const message = create(TypedExtensionConfigSchema, {
    name: chain.name,
    typedConfig: any(TcpProxySchema, tcpProxyOf(chain, { statPrefix: "outbound" })),
  });
  const type = `type.googleapis.com/${TypedExtensionConfigSchema.typeName}`;
  return { "@type": type, ...envoyJson(TypedExtensionConfigSchema, message) };
}
