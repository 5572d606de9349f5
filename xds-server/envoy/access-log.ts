/**
 * The access log: one JSON object a line on stdout. `policy` names what decided: the rule that refused, the limit that
 * refused, the rule that allowed, or the authentication policy; `verdict` is `allowed`, `denied` or `limited`. `audit`
 * says what the audited policies would have done.
 */
import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import type { AccessLogFilterSchema, AccessLogSchema } from "../gen/envoy/config/accesslog/v3/accesslog_pb.js";
import { ExpressionFilterSchema } from "../gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js";
import { StdoutAccessLogSchema } from "../gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js";
import { any } from "./any.ts";

/** Envoy writes RBAC's verdicts under this metadata namespace whatever the filter is called. */
const RBAC = "envoy.filters.http.rbac";

type Operator = string | { readonly command: string; readonly param: string };

/** The first of `operators` that has a value. */
function firstOf(...operators: readonly Operator[]): string {
  return `%COALESCE(${JSON.stringify({ operators })})%`;
}

const metadata = (param: string): Operator => ({ command: "DYNAMIC_METADATA", param });
const virtualHost = (param: string): Operator => ({ command: "METADATA", param: `VIRTUAL_HOST:seawall:${param}` });

const CONNECTION_FIELDS = {
  time: "%START_TIME%",
  peer: "%DOWNSTREAM_PEER_URI_SAN%",
  peerAddress: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
  flags: "%RESPONSE_FLAGS%",
  termination: "%CONNECTION_TERMINATION_DETAILS%",
  bytesReceived: "%BYTES_RECEIVED%",
  bytesSent: "%BYTES_SENT%",
  durationMs: "%DURATION%",
  upstream: "%UPSTREAM_HOST%",
};

const REQUEST_FIELDS = {
  ...CONNECTION_FIELDS,
  method: "%REQ(:METHOD)%",
  host: "%REQ(:AUTHORITY)%",
  path: "%PATH(NQ:ORIG_OR_PATH)%",
  protocol: "%PROTOCOL%",
  status: "%RESPONSE_CODE%",
  details: "%RESPONSE_CODE_DETAILS%",
  route: "%ROUTE_NAME%",
  requestId: "%REQ(X-REQUEST-ID)%",
};

/** The keys that the limit filters and their Lua companion write, read here and nowhere else. */
export const LIMIT_METADATA = { namespace: "seawall.limit", policy: "policy", verdict: "verdict" } as const;

/** The log of requests that reach a workload. */
export function inboundHttpLog(workload: string): MessageInitShape<typeof AccessLogSchema> {
  return stdout({
    direction: "inbound",
    workload,
    ...REQUEST_FIELDS,
    verdict: firstOf(
      metadata(`${LIMIT_METADATA.namespace}:${LIMIT_METADATA.verdict}`),
      metadata(`${RBAC}:enforced_engine_result`),
      virtualHost("unproven"),
    ),
    policy: firstOf(
      metadata(`${LIMIT_METADATA.namespace}:${LIMIT_METADATA.policy}`),
      metadata(`${RBAC}:enforced_effective_policy_id`),
      metadata(`${RBAC}:allow_shadow_effective_policy_id`),
      { command: "METADATA", param: "ROUTE:seawall:policy" },
      virtualHost("authentication"),
    ),
    jwksUnavailable: "%METADATA(VIRTUAL_HOST:seawall:jwksUnavailable)%",
    audit: {
      limit: "%REQ(X-SEAWALL-AUDITED-LIMIT)%",
      verdict: `%DYNAMIC_METADATA(${RBAC}:audit_shadow_engine_result)%`,
      // What would refuse, or else what would let in.
      policy: firstOf(metadata(`${RBAC}:audit_shadow_effective_policy_id`), metadata(`${RBAC}:audit_allow_shadow_effective_policy_id`)),
    },
  });
}

/** The log of requests that leave a workload. A refusal here is always about visibility. */
export function outboundHttpLog(workload: string): MessageInitShape<typeof AccessLogSchema> {
  return stdout({
    direction: "outbound",
    workload,
    ...REQUEST_FIELDS,
    cluster: "%UPSTREAM_CLUSTER%",
    verdict: firstOf(metadata(`${RBAC}:enforced_engine_result`), virtualHost("visible")),
    // A CONNECT is refused before any filter is asked.
    policy: firstOf(metadata(`${RBAC}:enforced_effective_policy_id`), virtualHost("policy")),
  });
}

const TCP_RBAC = "envoy.filters.network.rbac";

/** The log of TCP connections, in either direction. Who left before a byte was said has no verdict. */
export function tcpLog(direction: "inbound" | "outbound", workload: string): MessageInitShape<typeof AccessLogSchema> {
  return stdout({
    direction,
    workload,
    ...CONNECTION_FIELDS,
    cluster: "%UPSTREAM_CLUSTER%",
    // A denial ends the chain before the default is asked; where the default is asked, it has the last word.
    verdict: firstOf(metadata(`${TCP_RBAC}:default_shadow_engine_result`), metadata(`${TCP_RBAC}:deny_shadow_engine_result`)),
    policy: firstOf(
      metadata(`${TCP_RBAC}:deny_shadow_effective_policy_id`),
      metadata(`${TCP_RBAC}:default_shadow_effective_policy_id`),
      metadata(`${TCP_RBAC}:allow_shadow_effective_policy_id`),
    ),
  });
}

/**
 * In the log of a listener that all sidecars share: the workload, as the sidecar's own bootstrap names it.
 */
export const OWN_WORKLOAD = "%CEL(xds.node.cluster)%";

/**
 * The log of connections that were redirected to the sidecar and lead to nothing that it knows. A refused one whose
 * client was answered was a request, and is in the log as such.
 */
export function unknownDestinationLog(
  workload: string,
  decision: { readonly refusal: string } | { readonly auditedRefusal?: string },
): MessageInitShape<typeof AccessLogSchema> {
  const refused = "refusal" in decision;
  const audited = refused ? undefined : decision.auditedRefusal;
  const fields = {
    direction: "outbound",
    workload,
    ...CONNECTION_FIELDS,
    destination: "%DOWNSTREAM_LOCAL_ADDRESS%",
    cluster: "%UPSTREAM_CLUSTER%",
    verdict: refused ? "denied" : "allowed",
    ...(refused ? { policy: decision.refusal } : {}),
    ...(audited === undefined ? {} : { audit: { verdict: "denied", policy: audited } }),
  };
  return stdout(fields, refused ? UNANSWERED : undefined);
}

const UNANSWERED: MessageInitShape<typeof AccessLogFilterSchema> = {
  filterSpecifier: {
    case: "extensionFilter",
    value: {
      name: "envoy.access_loggers.extension_filters.cel",
      configType: { case: "typedConfig", value: any(ExpressionFilterSchema, { expression: "response.size == 0" }) },
    },
  },
};

function stdout(fields: JsonObject, filter?: MessageInitShape<typeof AccessLogFilterSchema>): MessageInitShape<typeof AccessLogSchema> {
  return {
    name: "stdout",
    ...(filter === undefined ? {} : { filter }),
    configType: {
      case: "typedConfig",
      value: any(StdoutAccessLogSchema, {
        accessLogFormat: {
          case: "logFormat",
          value: { format: { case: "jsonFormat", value: fields }, omitEmptyValues: true, jsonFormatOptions: { sortProperties: false } },
        },
      }),
    },
  };
}
