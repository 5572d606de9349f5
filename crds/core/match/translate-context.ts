/** The pieces of Envoy's RBAC that rules are made of, written so that they read like Envoy's YAML. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Permission,
  PermissionSchema,
  type Principal,
  PrincipalSchema,
} from "../../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import { type HeaderMatcher, HeaderMatcherSchema } from "../../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import type { StringMatcherSchema } from "../../../xds-server/gen/envoy/type/matcher/v3/string_pb.js";
import type { CalledPort } from "../request.ts";

export interface TranslateContext {
  /** The namespace that bare service accounts and `Same` refer to; undefined for a cluster-scoped policy. */
  readonly namespace: string | undefined;
  readonly trustDomain: string;
  readonly port: CalledPort;
}

type StringMatch = MessageInitShape<typeof StringMatcherSchema>;

export function exactly(value: string): StringMatch {
  return { matchPattern: { case: "exact", value } };
}

export function beginsWith(value: string): StringMatch {
  return { matchPattern: { case: "prefix", value } };
}

/** RE2, held against the whole of the text. */
export function matchesRegex(regex: string): StringMatch {
  return { matchPattern: { case: "safeRegex", value: { regex } } };
}

export function header(name: string, value: StringMatch): HeaderMatcher {
  return create(HeaderMatcherSchema, { name, headerMatchSpecifier: { case: "stringMatch", value } });
}

/** A text as an RE2 expression for just that text. */
export function quoted(text: string): string {
  return text.replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`);
}

export const ANY_PRINCIPAL: Principal = create(PrincipalSchema, { identifier: { case: "any", value: true } });
export const ANY_PERMISSION: Permission = create(PermissionSchema, { rule: { case: "any", value: true } });

export function allPrincipals(ids: readonly Principal[]): Principal {
  const [only] = ids;
  if (only === undefined) return ANY_PRINCIPAL;
  return ids.length === 1 ? only : create(PrincipalSchema, { identifier: { case: "andIds", value: { ids: [...ids] } } });
}

/** `ids` must not be empty: nothing would match. */
export function anyPrincipal(ids: readonly Principal[]): Principal {
  const [only] = ids;
  return ids.length === 1 && only !== undefined
    ? only
    : create(PrincipalSchema, { identifier: { case: "orIds", value: { ids: [...ids] } } });
}

export function notPrincipal(id: Principal): Principal {
  return create(PrincipalSchema, { identifier: { case: "notId", value: id } });
}

export function allPermissions(rules: readonly Permission[]): Permission {
  const [only] = rules;
  if (only === undefined) return ANY_PERMISSION;
  return rules.length === 1 ? only : create(PermissionSchema, { rule: { case: "andRules", value: { rules: [...rules] } } });
}

/** `rules` must not be empty: nothing would match. */
export function anyPermission(rules: readonly Permission[]): Permission {
  const [only] = rules;
  return rules.length === 1 && only !== undefined
    ? only
    : create(PermissionSchema, { rule: { case: "orRules", value: { rules: [...rules] } } });
}
