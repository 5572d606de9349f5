import { create } from "@bufbuild/protobuf";
import { PolicySchema } from "../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import type { RbacRule } from "../core/contribution.ts";
import { ANY_PERMISSION, meshPrincipal, notPrincipal } from "../core/match/translate.ts";
import type { EffectiveMutualTls } from "./evaluate.ts";

/**
 * Strictness as a rule, not as a listener: the plaintext chain stays, and who comes by it without a mesh identity is
 * refused by name. So turning strictness on closes no connection.
 */
export function translateMutualTls(effective: EffectiveMutualTls, trustDomain: string): readonly RbacRule[] {
  if (effective.mode !== "Strict") return [];
  const policy = create(PolicySchema, { permissions: [ANY_PERMISSION], principals: [notPrincipal(meshPrincipal(trustDomain))] });
  return [{ slot: "deny", name: effective.rule, policy }];
}
