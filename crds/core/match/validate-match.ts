/** What is wrong with `from`, `to`, `when` and `except` beyond their schema: shared by every kind that has them. */
import { cidrMistake } from "../cidr.ts";
import { claimNameMistake } from "../claims.ts";
import { fieldAt, itemAt } from "../field-path.ts";
import { hostMistake } from "../hosts.ts";
import type { Except, From, JwtMatch, To, When } from "../match.ts";
import { parsePathTemplate, toRegex } from "../path-template.ts";
import { nearest } from "../suggest.ts";
import { violation, type Violation, warning } from "../violation.ts";
import { sizeMistake } from "./expression-size.ts";
import { headerNameMistake, headerValueMistake } from "./header-mistake.ts";
import { namespaceMistake, serviceAccountMistake, spiffeIdMistake } from "./identity-mistake.ts";

export interface ValidateContext {
  /** The policy's own namespace; undefined for a cluster-scoped policy. */
  readonly namespace: string | undefined;
  /** What happens to a request that matches: a `Deny` that is too narrow deserves a warning. */
  readonly action: "Allow" | "Deny" | "Other";
}

export function validateFrom(items: readonly From[] | undefined, path: string, context: ValidateContext): Violation[] {
  return (items ?? []).flatMap((from, index) => {
    const at = itemAt(path, index);
    const { namespace } = context;
    return [
      ...each(from.serviceAccounts, fieldAt(at, "serviceAccounts"), (name) => serviceAccountMistake(name, namespace)),
      ...each(from.namespaces, fieldAt(at, "namespaces"), (name) => namespaceMistake(name, namespace)),
      ...each(from.spiffeIds, fieldAt(at, "spiffeIds"), spiffeIdMistake),
      ...each(from.peerCIDRs, fieldAt(at, "peerCIDRs"), cidrMistake),
      ...(from.jwt === undefined ? [] : validateJwt(from.jwt, fieldAt(at, "jwt"))),
    ];
  });
}

function validateJwt(jwt: JwtMatch, path: string): Violation[] {
  const claims = fieldAt(path, "claims");
  return [
    ...each(jwt.scopes, fieldAt(path, "scopes"), (scope) =>
      /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope) ? undefined : "is not a scope: list each scope by itself, without spaces or quotes",
    ),
    ...(jwt.scopes ?? []).flatMap((scope, index) => sized([scope], itemAt(fieldAt(path, "scopes"), index), ({ length }) => length)),
    ...(jwt.claims ?? []).flatMap((claim, index) =>
      each([claim.name], "", claimNameMistake).map(({ message }) => violation(fieldAt(itemAt(claims, index), "name"), "Invalid", message)),
    ),
  ];
}

export function validateTo(items: readonly To[] | undefined, path: string, context: ValidateContext): Violation[] {
  return (items ?? []).flatMap((to, index) => {
    const at = itemAt(path, index);
    return [
      ...each(to.methods, fieldAt(at, "methods"), methodMistake),
      ...sized(to.methods, fieldAt(at, "methods"), (method) => method.length),
      ...each(to.paths, fieldAt(at, "paths"), pathMistake),
      ...sized(to.paths, fieldAt(at, "paths"), pathSize),
      ...(context.action === "Deny" ? (to.paths ?? []).flatMap((text, one) => narrowDeny(text, itemAt(fieldAt(at, "paths"), one))) : []),
      ...each(to.hosts, fieldAt(at, "hosts"), hostMistake),
      ...sized(to.hosts, fieldAt(at, "hosts"), (host) => host.length),
      ...each(to.ports, fieldAt(at, "ports"), portMistake),
    ];
  });
}

export function validateWhen(when: When | undefined, path: string): Violation[] {
  return (when?.headers ?? []).flatMap(({ name, values }, index) => {
    const at = itemAt(fieldAt(path, "headers"), index);
    const mistake = headerNameMistake(name);
    return [
      ...(mistake === undefined ? [] : [violation(fieldAt(at, "name"), "Invalid", mistake)]),
      ...each(values, fieldAt(at, "values"), headerValueMistake),
      ...sized(values, fieldAt(at, "values"), (value) => value.length),
    ];
  });
}

export function validateExcept(items: readonly Except[] | undefined, path: string, context: ValidateContext): Violation[] {
  const inside: ValidateContext = { ...context, action: opposite(context.action) };
  return (items ?? []).flatMap((except, index) => [
    ...validateFrom(except.from, fieldAt(itemAt(path, index), "from"), inside),
    ...validateTo(except.to, fieldAt(itemAt(path, index), "to"), inside),
  ]);
}

function opposite(action: ValidateContext["action"]): ValidateContext["action"] {
  if (action === "Other") return "Other";
  return action === "Allow" ? "Deny" : "Allow";
}

/** One violation for each item of a list about which `mistake` has something to say. */
function each<Item>(items: readonly Item[] | undefined, path: string, mistake: (item: Item) => string | undefined): Violation[] {
  return (items ?? []).flatMap((item, index) => {
    const message = mistake(item);
    return message === undefined ? [] : [violation(itemAt(path, index), "Invalid", message)];
  });
}

/** A violation for a list that would make too long an expression. */
function sized<Item>(items: readonly Item[] | undefined, path: string, length: (item: Item) => number): Violation[] {
  const message = sizeMistake((items ?? []).map(length));
  return message === undefined ? [] : [violation(path, "TooMany", message)];
}

function pathSize(text: string): number {
  const parsed = parsePathTemplate(text);
  return parsed.kind === "template" ? toRegex(parsed.template).length : text.length;
}

/** Methods that people use (RFC 9110, WebDAV and its kin); others are accepted when they are not nearly one of these. */
const METHODS =
  "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT QUERY PURGE PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT MERGE BIND UNBIND REBIND ACL LINK UNLINK NOTIFY SUBSCRIBE UNSUBSCRIBE CHECKOUT MKACTIVITY MKCALENDAR".split(
    " ",
  );

function methodMistake(method: string): string | undefined {
  if (METHODS.includes(method)) return undefined;
  const upper = method.toUpperCase();
  if (METHODS.includes(upper)) return `methods are upper case: write ${upper}`;
  const meant = nearest(method, METHODS);
  if (meant !== undefined) return `unknown method ${method}: did you mean ${meant}?`;
  return /^[A-Z0-9!#$%&'*+.^_`|~-]+$/.test(method)
    ? undefined
    : `${JSON.stringify(method)} is not a method: an upper-case token such as GET`;
}

function pathMistake(path: string): string | undefined {
  const parsed = parsePathTemplate(path);
  return parsed.kind === "mistake" ? parsed.message : undefined;
}

function narrowDeny(path: string, at: string): Violation[] {
  if (path.endsWith("/**") || pathMistake(path) !== undefined) return [];
  const wider = `${path.replace(/\/$/, "")}/**`;
  return [
    warning(
      at,
      "Invalid",
      `refuses exactly this path, not ${path.endsWith("/") ? "" : `\`${path}/\` or `}what is below: \`${wider}\` covers all of it`,
    ),
  ];
}

/** What is wrong with a port in a policy; undefined when nothing is. */
export function portMistake(port: number | string): string | undefined {
  if (typeof port === "number") return undefined;
  if (/^\d+$/.test(port)) return `write the number without quotes: ${port}`;
  return /^(?=.*[a-z])[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?$/.test(port)
    ? undefined
    : "is not the name of a port: at most 15 lower-case letters, digits and dashes";
}
