/**
 * What a request is counted under: one descriptor for each limit that it matches, with an entry for each key of `per`.
 * A key that the request does not have counts as `(none)`, in a bucket that all such requests share; Envoy's own actions
 * would drop the descriptor, and with it the limit.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { any } from "../../xds-server/envoy/any.ts";
import type { HeaderMatcher, RateLimit_ActionSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { DescriptorSchema } from "../../xds-server/gen/envoy/extensions/rate_limit_descriptors/expr/v3/expr_pb.js";
import { type Expr, ExprSchema } from "../../xds-server/gen/google/api/expr/v1alpha1/syntax_pb.js";
import { claimPath } from "../core/claims.ts";
import { JWT_METADATA } from "../core/jwt-metadata.ts";
import { unreachable } from "../core/unreachable.ts";
import { NO_KEY } from "./limit-key.ts";
import type { LimitKey } from "./schema.ts";

export type Action = MessageInitShape<typeof RateLimit_ActionSchema>;

/** The descriptor key of the action that stands for `key`, the `index`th of `per`. */
export function descriptorKey(key: LimitKey, index: number): string {
  // Envoy gives this action no choice of its key.
  return key.type === "Address" ? "remote_address" : `${index}`;
}

export function keyAction(key: LimitKey, index: number): Action {
  switch (key.type) {
    case "Address":
      return { actionSpecifier: { case: "remoteAddress", value: {} } };
    case "Claim":
      return claimAction(descriptorKey(key, index), key);
    case "Header":
      return expressionAction(descriptorKey(key, index), headerOrNone((key.name ?? "").toLowerCase()));
    case "Identity":
      return expressionAction(descriptorKey(key, index), identityOrNone());
    default:
      return unreachable(key.type);
  }
}

/** Only claims that are strings are told apart: of any other claim Envoy takes the default. */
function claimAction(descriptor: string, { name = "", issuer = "" }: LimitKey): Action {
  return {
    actionSpecifier: {
      case: "metadata",
      value: {
        descriptorKey: descriptor,
        metadataKey: {
          key: JWT_METADATA,
          path: [issuer, ...claimPath(name)].map((key) => ({ segment: { case: "key" as const, value: key } })),
        },
        defaultValue: NO_KEY,
      },
    },
  };
}

function expressionAction(descriptor: string, expression: Expression): Action {
  return {
    actionSpecifier: {
      case: "extension",
      value: {
        name: "envoy.rate_limit_descriptors.expr",
        typedConfig: any(DescriptorSchema, {
          descriptorKey: descriptor,
          exprSpecifier: { case: "parsed", value: numbered(expression) },
        }),
      },
    },
  };
}

/** The first entry of a descriptor, by which requests that do not count have none. */
export const MATCHED = { key: "to", value: "matched" } as const;
/** The same of a limit that counts every request. */
export const EVERY_REQUEST = { key: "to", value: "everything" } as const;

/** Gives {@link MATCHED} to requests for which all the `required` headers match. */
export function matchAction(required: readonly HeaderMatcher[]): Action {
  const value = { descriptorKey: MATCHED.key, descriptorValue: MATCHED.value, headers: [...required] };
  return { actionSpecifier: { case: "headerValueMatch", value } };
}

/** Gives {@link EVERY_REQUEST} to all. */
export function countEvery(): Action {
  const value = { descriptorKey: EVERY_REQUEST.key, descriptorValue: EVERY_REQUEST.value };
  return { actionSpecifier: { case: "genericKey", value } };
}

/** A CEL expression without the numbers that its nodes must have. Envoy has no parser for CEL's text. */
type Expression =
  | { readonly kind: "identifier"; readonly name: string }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "field"; readonly of: Expression; readonly name: string; readonly presence?: boolean }
  | { readonly kind: "choice"; readonly condition: Expression; readonly then: Expression; readonly otherwise: Expression };

const NONE: Expression = { kind: "string", value: NO_KEY };

/** `has(request.headers[name]) ? request.headers[name] : "(none)"`; several lines are joined by a comma. */
function headerOrNone(name: string): Expression {
  const headers: Expression = { kind: "field", of: { kind: "identifier", name: "request" }, name: "headers" };
  const header: Expression = { kind: "field", of: headers, name };
  return { kind: "choice", condition: { ...header, presence: true }, then: header, otherwise: NONE };
}

/** `connection.mtls ? connection.uri_san_peer_certificate : "(none)"` */
function identityOrNone(): Expression {
  const connection: Expression = { kind: "identifier", name: "connection" };
  return {
    kind: "choice",
    condition: { kind: "field", of: connection, name: "mtls" },
    then: { kind: "field", of: connection, name: "uri_san_peer_certificate" },
    otherwise: NONE,
  };
}

function numbered(expression: Expression): Expr {
  let last = 0n;
  return node(expression);

  function node(part: Expression): Expr {
    const id = ++last;
    switch (part.kind) {
      case "identifier":
        return create(ExprSchema, { id, exprKind: { case: "identExpr", value: { name: part.name } } });
      case "string":
        return create(ExprSchema, {
          id,
          exprKind: { case: "constExpr", value: { constantKind: { case: "stringValue", value: part.value } } },
        });
      case "field":
        return create(ExprSchema, {
          id,
          exprKind: { case: "selectExpr", value: { operand: node(part.of), field: part.name, testOnly: part.presence ?? false } },
        });
      case "choice":
        return create(ExprSchema, {
          id,
          exprKind: {
            case: "callExpr",
            value: { function: "_?_:_", args: [part.condition, part.then, part.otherwise].map(node) },
          },
        });
      default:
        return unreachable(part);
    }
  }
}
