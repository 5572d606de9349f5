/**
 * Puts the rules of all kinds into the four RBAC filters of an HTTP port or a tunnel, or the three of plain TCP.
 *
 * An ALLOW list that falls through names no rule, so the Allow rules are shadow rules whose verdict the last filter
 * reads: it refuses, by name, whatever they did not permit. So every refusal and every permission has a name, and a
 * missing verdict is a refusal.
 */
import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { DefaultAccess } from "../../crds/mesh-config/index.ts";
import type { PerRoute, RbacRule, RbacSlot } from "../../crds/core/contribution.ts";
import {
  MetadataSource,
  type Policy,
  PolicySchema,
  type RBAC,
  RBAC_Action,
  RBACSchema as RulesSchema,
} from "../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import { RBACPerRouteSchema } from "../../xds-server/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js";
import { RBACSchema as NetworkRbacSchema } from "../../xds-server/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js";
import { any } from "../../xds-server/envoy/any.ts";

export interface AccessDecision {
  readonly namespace: string;
  readonly workload: string;
  readonly rules: readonly RbacRule[];
  readonly defaultAccess: DefaultAccess;
  /** An enforced Allow policy targets the port. */
  readonly closed: boolean;
  /** An enforced or an audited Allow policy targets the port. */
  readonly closedInAudit: boolean;
  /** The ports in question are those that neither a container nor a Service declares. */
  readonly undeclared?: true;
}

const ANYONE = create(PolicySchema, {
  permissions: [{ rule: { case: "any", value: true } }],
  principals: [{ identifier: { case: "any", value: true } }],
});

const HTTP_RBAC = "envoy.filters.http.rbac";
const NETWORK_RBAC = "envoy.filters.network.rbac";

/** Matches when the shadow engine under `prefix` has not said "allowed". */
function unlessAllowed(metadataNamespace: string, prefix: string): Policy {
  return create(PolicySchema, {
    permissions: [{ rule: { case: "any", value: true } }],
    principals: [
      {
        identifier: {
          case: "notId",
          value: {
            identifier: {
              case: "sourcedMetadata",
              value: {
                metadataSource: MetadataSource.DYNAMIC,
                metadataMatcher: {
                  filter: metadataNamespace,
                  path: [{ segment: { case: "key", value: `${prefix}shadow_engine_result` } }],
                  value: {
                    matchPattern: { case: "stringMatch", value: { matchPattern: { case: "exact", value: "allowed" } } },
                  },
                },
              },
            },
          },
        },
      },
    ],
  });
}

const UNLESS_ALLOWED = unlessAllowed(HTTP_RBAC, "allow_");
const UNLESS_AUDIT_ALLOWED = unlessAllowed(HTTP_RBAC, "audit_allow_");
const UNLESS_ALLOWED_TCP = unlessAllowed(NETWORK_RBAC, "allow_");

type Named = readonly (readonly [name: string, policy: Policy])[];

/** Envoy names the first match of a map sorted by key, and a sorted map encodes the same every time. */
function rules(action: RBAC_Action, policies: Named): RBAC {
  const sorted = [...policies].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return create(RulesSchema, { action, policies: Object.fromEntries(sorted) });
}

function inSlot(decision: AccessDecision, slot: RbacSlot): Named {
  return decision.rules.filter((rule) => rule.slot === slot).map((rule) => [rule.name, rule.policy]);
}

const defaultDeny = ({ undeclared, namespace, workload }: AccessDecision): string =>
  `${undeclared === true ? "not-declared" : "default-deny"}/${namespace}/${workload}`;

/** The Allow rules in force, with the default as one of them where it permits. */
function allowRules(decision: AccessDecision): Named {
  const policies = inSlot(decision, "allow");
  if (decision.defaultAccess === "Deny") return policies;
  if (decision.defaultAccess === "Allow" && decision.closed) return policies;
  return [...policies, [`default-${decision.defaultAccess.toLowerCase()}/${decision.namespace}/${decision.workload}`, ANYONE]];
}

/** The same as if every audited policy and an audited default were enforced. */
function auditAllowRules(decision: AccessDecision): Named {
  const policies = inSlot(decision, "audit-allow");
  if (decision.defaultAccess !== "Allow" || decision.closedInAudit) return policies;
  return [...policies, [`default-allow/${decision.namespace}/${decision.workload}`, ANYONE]];
}

/** Whether the audit could ever differ from what is enforced. */
function hasAudit(decision: AccessDecision): boolean {
  return (
    decision.defaultAccess === "Audit" ||
    decision.closed !== decision.closedInAudit ||
    inSlot(decision, "audit-deny").length > 0 ||
    inSlot(decision, "audit-allow").length !== inSlot(decision, "allow").length
  );
}

/** The RBAC filters of an HTTP port. `rbac` is always among them: without it the port refuses as `not-configured`. */
export function httpAccess(decision: AccessDecision): PerRoute {
  const denials = inSlot(decision, "deny");
  const audited = hasAudit(decision);
  return {
    ...(audited
      ? {
          "rbac-audit": any(RBACPerRouteSchema, {
            rbac: { shadowRules: rules(RBAC_Action.ALLOW, auditAllowRules(decision)), shadowRulesStatPrefix: "audit_allow_" },
          }),
        }
      : {}),
    ...(denials.length > 0 ? { "rbac-deny": any(RBACPerRouteSchema, { rbac: { rules: rules(RBAC_Action.DENY, denials) } }) } : {}),
    "rbac-allow": any(RBACPerRouteSchema, {
      rbac: { shadowRules: rules(RBAC_Action.ALLOW, allowRules(decision)), shadowRulesStatPrefix: "allow_" },
    }),
    rbac: any(RBACPerRouteSchema, {
      rbac: {
        rules: rules(RBAC_Action.DENY, [[defaultDeny(decision), UNLESS_ALLOWED]]),
        ...(audited
          ? {
              shadowRules: rules(RBAC_Action.DENY, [...inSlot(decision, "audit-deny"), [defaultDeny(decision), UNLESS_AUDIT_ALLOWED]]),
              shadowRulesStatPrefix: "audit_",
            }
          : {}),
      },
    }),
  };
}

/** Refuses nothing: for a route that answers by itself and never reaches the application. */
export const NO_ACCESS_CHECK: Any = any(RBACPerRouteSchema, {});

/** Refuses everything under one name. */
export function refuseAll(name: string): Any {
  return any(RBACPerRouteSchema, { rbac: { rules: rules(RBAC_Action.DENY, [[name, ANYONE]]) } });
}

/** Whether everybody is let in, whoever it is. */
export function refusesNobody(decision: AccessDecision): boolean {
  const open = decision.defaultAccess === "Audit" || (decision.defaultAccess === "Allow" && !decision.closed);
  return open && inSlot(decision, "deny").length === 0;
}

/** How the shadow rules of a TCP port's filters are told apart in the metadata. The network filter writes nothing of what it enforces. */
const TCP_PREFIX = { deny: "deny_", allow: "allow_", access: "default_" } as const;

/** The three network RBAC filters of a TCP port: denials, the Allow rules, and the default for whom they do not let in. */
export function tcpAccess(decision: AccessDecision): { readonly deny: Any; readonly allow: Any; readonly access: Any } {
  const refuse = (filter: "deny" | "access", policies: Named): Any => {
    const refused = rules(RBAC_Action.DENY, policies);
    return any(NetworkRbacSchema, {
      statPrefix: filter,
      rules: refused,
      shadowRules: refused,
      shadowRulesStatPrefix: TCP_PREFIX[filter],
    });
  };
  return {
    deny: refuse("deny", inSlot(decision, "deny")),
    allow: any(NetworkRbacSchema, {
      statPrefix: "allow",
      shadowRules: rules(RBAC_Action.ALLOW, allowRules(decision)),
      shadowRulesStatPrefix: TCP_PREFIX.allow,
    }),
    access: refuse("access", [[defaultDeny(decision), UNLESS_ALLOWED_TCP]]),
  };
}
