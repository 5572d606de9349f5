import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { ActionSchema, RBAC_Action } from "../gen/envoy/config/rbac/v3/rbac_pb.js";
import type { AccessLogSchema } from "../gen/envoy/config/accesslog/v3/accesslog_pb.js";
import { HeaderMutationSchema } from "../gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js";
import { JwtAuthenticationSchema } from "../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { LocalRateLimitSchema } from "../gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js";
import { LuaSchema } from "../gen/envoy/extensions/filters/http/lua/v3/lua_pb.js";
import { RBACSchema } from "../gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js";
import { RouterSchema } from "../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpConnectionManagerSchema,
  type HttpFilterSchema,
} from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { any, typeUrl } from "./any.ts";
import { FROM_ADS } from "./discovery.ts";
import { HTTP_FILTER_ORDER, type HttpFilterName } from "./http-filter-order.ts";
import { LOCAL_REPLIES } from "./local-reply.ts";
import { unreachable } from "../../crds/core/unreachable.ts";

type HttpFilter = MessageInitShape<typeof HttpFilterSchema>;
type ConnectionManager = MessageInitShape<typeof HttpConnectionManagerSchema>;

/** The ECDS resource of a workload's JWT providers. The name is the same everywhere; the content is the workload's. */
export const JWT_EXTENSION = "jwt";

/** Refuses everything: what a virtual host without policy of its own meets. */
const NOT_CONFIGURED = any(RBACSchema, {
  matcher: {
    onNoMatch: {
      onMatch: {
        case: "action",
        value: { name: "action", typedConfig: any(ActionSchema, { name: "not-configured", action: RBAC_Action.DENY }) },
      },
    },
  },
});

function declare(name: HttpFilterName, limitHeadersLua: string): HttpFilter {
  const off = (typedConfig: Any): HttpFilter => ({ name, disabled: true, configType: { case: "typedConfig", value: typedConfig } });
  switch (name) {
    case "strip-headers":
      return off(any(HeaderMutationSchema, {}));
    case "limit-headers":
      return off(any(LuaSchema, { defaultSourceCode: { specifier: { case: "inlineString", value: limitHeadersLua } } }));
    case "jwt":
      return {
        name: JWT_EXTENSION,
        disabled: true,
        configType: { case: "configDiscovery", value: { configSource: FROM_ADS, typeUrls: [typeUrl(JwtAuthenticationSchema)] } },
      };
    case "rbac-audit":
    case "rbac-deny":
    case "rbac-allow":
      return off(any(RBACSchema, {}));
    case "rbac":
      return { name, configType: { case: "typedConfig", value: NOT_CONFIGURED } };
    case "early-limit-0":
    case "early-limit-1":
    case "early-limit-2":
    case "early-limit-3":
    case "limit-0":
    case "limit-1":
    case "limit-2":
    case "limit-3":
    case "limit-4":
    case "limit-5":
    case "limit-6":
    case "limit-7":
      return off(any(LocalRateLimitSchema, { statPrefix: name }));
    case "router":
      return { name, configType: { case: "typedConfig", value: any(RouterSchema, {}) } };
    default:
      return unreachable(name);
  }
}

/** What both directions agree on: how a path is read decides what a policy sees, so it is said here once. */
const COMMON = {
  codecType: HttpConnectionManager_CodecType.AUTO,
  normalizePath: true,
  mergeSlashes: true,
  pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.REJECT_REQUEST,
  // The TCP peer is the remote address: a caller's X-Forwarded-For is passed on, never believed.
  useRemoteAddress: true,
  skipXffAppend: true,
  preserveExternalRequestId: true,
  serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
  upgradeConfigs: [{ upgradeType: "websocket" }],
  http2ProtocolOptions: { allowConnect: true },
  // A stream may be silent for as long as its two ends like; a request's headers may not dawdle.
  streamIdleTimeout: { seconds: 0n, nanos: 0 },
  requestHeadersTimeout: { seconds: 10n, nanos: 0 },
} as const satisfies Partial<ConnectionManager>;

/**
 * The HTTP connection manager of an inbound port: the fixed filter chain, everything else by RDS and ECDS.
 * `limitHeadersLua` is the script of the `limit-headers` filter.
 */
export function inboundHttpConnectionManager(input: {
  readonly routeConfigName: string;
  readonly accessLog: MessageInitShape<typeof AccessLogSchema>;
  readonly limitHeadersLua: string;
}): Any {
  return any(HttpConnectionManagerSchema, {
    ...COMMON,
    statPrefix: input.routeConfigName.replaceAll("/", "_"),
    routeSpecifier: { case: "rds", value: { routeConfigName: input.routeConfigName, configSource: FROM_ADS } },
    httpFilters: HTTP_FILTER_ORDER.map((name) => declare(name, input.limitHeadersLua)),
    accessLog: [input.accessLog],
    localReplyConfig: LOCAL_REPLIES,
    forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
    setCurrentClientCertDetails: { uri: true },
  });
}

/** The one policy filter of outbound traffic: is the called service visible to this workload? */
export const VISIBILITY_FILTER = "visibility";

/** The HTTP connection manager of outbound traffic: a visibility check that is closed unless a virtual host opens it. */
export function outboundHttpConnectionManager(input: {
  readonly routeConfigName: string;
  readonly accessLog: MessageInitShape<typeof AccessLogSchema>;
  /** Close after one answer: where the connection has come to need not be where the next one would lead. */
  readonly closes?: true;
}): Any {
  const filters: HttpFilter[] = [
    { name: VISIBILITY_FILTER, configType: { case: "typedConfig", value: NOT_CONFIGURED } },
    { name: "router", configType: { case: "typedConfig", value: any(RouterSchema, {}) } },
  ];
  return any(HttpConnectionManagerSchema, {
    ...COMMON,
    statPrefix: "outbound",
    routeSpecifier: { case: "rds", value: { routeConfigName: input.routeConfigName, configSource: FROM_ADS } },
    httpFilters: filters,
    accessLog: [input.accessLog],
    ...(input.closes === true ? { commonHttpProtocolOptions: { maxRequestsPerConnection: 1 } } : {}),
  });
}
