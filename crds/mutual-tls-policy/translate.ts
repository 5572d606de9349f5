import { create } from "@bufbuild/protobuf";
import { PolicySchema } from "../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import type { RbacRule } from "../core/contribution.ts";
import type { MutualTlsDemand } from "./evaluate.ts";

/** Matches callers without a verified mesh certificate. The listener takes both kinds, so that strictness is only a rule. */
const WITHOUT_CERTIFICATE = create(PolicySchema, {
  permissions: [{ rule: { case: "any", value: true } }],
  principals: [{ identifier: { case: "notId", value: { identifier: { case: "authenticated", value: {} } } } }],
});

/** The denial that makes a port strict; nothing in the other modes. */
export function translate(demand: MutualTlsDemand): readonly RbacRule[] {
  return demand.mode === "Strict" ? [{ slot: "deny", name: demand.rule, policy: WITHOUT_CERTIFICATE }] : [];
}
