/** Listeners of a bootstrap: plain HTTP with exact paths, for whoever looks after the pod. */
import { type MessageInitShape } from "@bufbuild/protobuf";
import type { ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.js";
import type { RouteSchema } from "../gen/envoy/config/route/v3/route_components_pb.js";
import { FilterConfigSchema } from "../gen/envoy/config/route/v3/route_components_pb.js";
import { LuaPerRouteSchema, LuaSchema } from "../gen/envoy/extensions/filters/http/lua/v3/lua_pb.js";
import { RouterSchema } from "../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import {
  type HttpFilterSchema,
  HttpConnectionManagerSchema,
} from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { socketAddress } from "./address.ts";
import { any } from "./any.ts";

export interface FixedListener {
  readonly name: string;
  readonly port: number;
  /** Listen on all addresses of both families, instead of those of IPv4. */
  readonly ipv6: boolean;
  /** In front of the routes. */
  readonly filters: readonly MessageInitShape<typeof HttpFilterSchema>[];
  readonly routes: readonly MessageInitShape<typeof RouteSchema>[];
}

/** What matches no route is answered 404. */
export function fixedListener(listener: FixedListener): MessageInitShape<typeof ListenerSchema> {
  const { name, port, ipv6, filters, routes } = listener;
  const manager = any(HttpConnectionManagerSchema, {
    statPrefix: name,
    httpFilters: [...filters, AS_POST, { name: "router", configType: { case: "typedConfig", value: any(RouterSchema, {}) } }],
    routeSpecifier: { case: "routeConfig", value: { name, virtualHosts: [{ name, domains: ["*"], routes: [...routes] }] } },
  });
  return {
    name,
    ...anyAddress(port, ipv6),
    filterChains: [{ filters: [{ name: "http", configType: { case: "typedConfig", value: manager } }] }],
  };
}

const AS_POST_FILTER = "as-post";

/** Off but for routes that ask for it. A script, since no other filter may change a method. */
const AS_POST: MessageInitShape<typeof HttpFilterSchema> = {
  name: AS_POST_FILTER,
  disabled: true,
  configType: {
    case: "typedConfig",
    value: any(LuaSchema, {
      defaultSourceCode: {
        specifier: { case: "inlineString", value: `function envoy_on_request(handle) handle:headers():replace(":method", "POST") end` },
      },
    }),
  },
};

/** All addresses of the pod. A socket for 0.0.0.0 takes no IPv6; one for `::` takes both. */
export function anyAddress(port: number, ipv6: boolean): Pick<MessageInitShape<typeof ListenerSchema>, "address"> {
  if (!ipv6) return { address: socketAddress("0.0.0.0", port) };
  return {
    address: {
      address: {
        case: "socketAddress",
        value: { address: "::", ipv4Compat: true, portSpecifier: { case: "portValue", value: port } },
      },
    },
  };
}

export interface ForwardRoute {
  readonly path: string;
  readonly cluster: string;
  /** Another path, with a query if it has one. */
  readonly rewrite?: string;
  /** Whatever the method was. */
  readonly asPost?: true;
}

/** Exactly this path goes to a cluster. */
export function forwardRoute(route: ForwardRoute): MessageInitShape<typeof RouteSchema> {
  return {
    match: { pathSpecifier: { case: "path", value: route.path } },
    action: {
      case: "route",
      value: {
        clusterSpecifier: { case: "cluster", value: route.cluster },
        // Who asks decides how long to wait.
        timeout: { seconds: 0n, nanos: 0 },
        ...(route.rewrite === undefined ? {} : { prefixRewrite: route.rewrite }),
      },
    },
    ...(route.asPost === true
      ? { typedPerFilterConfig: { [AS_POST_FILTER]: any(FilterConfigSchema, { config: any(LuaPerRouteSchema, {}) }) } }
      : {}),
  };
}
