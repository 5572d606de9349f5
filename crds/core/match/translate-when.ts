/** Circumstances, as Envoy sees them. */
import { create } from "@bufbuild/protobuf";
import { type Principal, PrincipalSchema } from "../../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import {
  ConstantSchema,
  type Expr,
  Expr_CallSchema,
  Expr_IdentSchema,
  Expr_SelectSchema,
  ExprSchema,
} from "../../../xds-server/gen/google/api/expr/v1alpha1/syntax_pb.js";
import type { HeaderMatch, When } from "../match.ts";
import { header, matchesRegex, quoted } from "./translate-context.ts";

/**
 * The headers of an Allow rule, as a CEL syntax tree: `request.headers["x"] == "a" || ...`. CEL sees several lines joined
 * by a comma, which no value contains, so exactly one line can match; a missing header is an error, which never allows.
 */
export function headersCondition(when: When | undefined): Expr | undefined {
  const headers = when?.headers ?? [];
  if (headers.length === 0) return undefined;
  let nodes = 0n;
  const node = (exprKind: Expr["exprKind"]): Expr => create(ExprSchema, { id: ++nodes, exprKind });
  const call = (name: string, ...args: Expr[]): Expr =>
    node({ case: "callExpr", value: create(Expr_CallSchema, { function: name, args }) });
  const text = (value: string): Expr =>
    node({ case: "constExpr", value: create(ConstantSchema, { constantKind: { case: "stringValue", value } }) });
  const request = (): Expr => node({ case: "identExpr", value: create(Expr_IdentSchema, { name: "request" }) });
  const lines = (name: string): Expr => {
    const map = node({ case: "selectExpr", value: create(Expr_SelectSchema, { operand: request(), field: "headers" }) });
    return call("_[_]", map, text(name));
  };
  const oneOf = ({ name, values }: HeaderMatch): Expr =>
    values.map((value) => call("_==_", lines(name), text(value))).reduce((left, right) => call("_||_", left, right));
  return headers.map(oneOf).reduce((left, right) => call("_&&_", left, right));
}

/** The headers of a Deny rule: Envoy compares each line by itself, and an element between commas is enough. */
export function headerPrincipals(when: When | undefined): Principal[] {
  return (when?.headers ?? []).map(({ name, values }) => {
    const element = values.map(quoted).join("|");
    const value = header(name, matchesRegex(`(?:.*,)?[ \\t]*(?:${element})[ \\t]*(?:,.*)?`));
    return create(PrincipalSchema, { identifier: { case: "header", value } });
  });
}
