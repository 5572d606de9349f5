import { fieldAt, itemAt } from "../core/field-path.ts";
import { unreachable } from "../core/unreachable.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import type { HeaderModifier } from "../core/route/schema.ts";
import { validateBackendReference } from "../core/route/validate.ts";
import type { PathModifier, RouteFilter } from "./schema.ts";
import { isPrintable, TOKEN, validatePlainPath } from "./validate-match.ts";

type FilterType = RouteFilter["type"];

/** The member that holds the settings of each type of filter. */
const MEMBER = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestMirror: "requestMirror",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
  CORS: "cors",
  ExternalAuth: "externalAuth",
  ExtensionRef: "extensionRef",
} as const satisfies Record<FilterType, keyof RouteFilter>;

export interface FilterContext {
  /** The rule has exactly one match, and it is a PathPrefix. */
  readonly onePrefix: boolean;
  /** The filters stand in a backendRef, where only header modifiers are possible. */
  readonly ofBackend: boolean;
}

export function validateFilters(filters: readonly RouteFilter[], at: string, context: FilterContext): Violation[] {
  return [...filters.flatMap((filter, index) => validateFilter(filter, itemAt(at, index), context)), ...validateCombination(filters, at)];
}

function validateFilter(filter: RouteFilter, at: string, context: FilterContext): Violation[] {
  const member = MEMBER[filter.type];
  const strays = Object.values(MEMBER).filter((name) => name !== member && filter[name] !== undefined);
  const found = strays.map((name) => violation(fieldAt(at, name), "Conflict", `does not belong to a filter of type ${filter.type}`));
  if (filter[member] === undefined) return [...found, violation(fieldAt(at, member), "Required", `is required by type ${filter.type}`)];
  const place = fieldAt(at, member);
  const unsupported = (where: string): Violation[] => [
    ...found,
    violation(fieldAt(at, "type"), "NotSupported", `Seawall does not support ${filter.type} ${where}`),
  ];
  switch (filter.type) {
    case "RequestHeaderModifier":
      return [...found, ...validateHeaders(filter.requestHeaderModifier ?? {}, place)];
    case "ResponseHeaderModifier":
      return [...found, ...validateHeaders(filter.responseHeaderModifier ?? {}, place)];
    case "RequestMirror":
      return context.ofBackend ? unsupported("on a backendRef: put it on the rule") : [...found, ...validateMirror(filter, place)];
    case "RequestRedirect":
      if (context.ofBackend) return unsupported("on a backendRef: put it on the rule");
      return [...found, ...validateRedirect(filter, place, context)];
    case "URLRewrite":
      if (context.ofBackend) return unsupported("on a backendRef: put it on the rule");
      return [...found, ...validateRewrite(filter, place, context)];
    case "CORS":
    case "ExternalAuth":
    case "ExtensionRef":
      return unsupported("on a route");
    default:
      return unreachable(filter.type);
  }
}

/** Filters of one list that exclude each other. A mirror may stand there more than once. */
function validateCombination(filters: readonly RouteFilter[], at: string): Violation[] {
  const types = filters.map((filter) => filter.type);
  const found = types.flatMap((type, index) =>
    type !== "RequestMirror" && types.indexOf(type) < index
      ? [violation(fieldAt(itemAt(at, index), "type"), "Duplicate", `${type} stands here already: a rule has it once`)]
      : [],
  );
  const redirect = types.indexOf("RequestRedirect");
  if (redirect === -1) return found;
  const place = fieldAt(itemAt(at, redirect), "type");
  for (const other of ["URLRewrite", "RequestMirror"] as const) {
    if (types.includes(other)) found.push(violation(place, "Conflict", `a redirect forwards nothing, so ${other} cannot stand beside it`));
  }
  if (types.includes("RequestHeaderModifier")) {
    found.push(warning(place, "Conflict", "a redirect forwards nothing, so RequestHeaderModifier has no effect beside it"));
  }
  return found;
}

/** Headers that describe the connection or the message itself: changing one breaks the message. */
const NOT_TO_BE_CHANGED = new Set([
  ...["connection", "content-length", "host", "keep-alive", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade"],
]);

function validateHeaders(modifier: HeaderModifier, at: string): Violation[] {
  const seen = new Set<string>();
  const checkName = (name: string, place: string): Violation[] => {
    const lower = name.toLowerCase();
    if (!TOKEN.test(name)) return [violation(place, "Invalid", `${JSON.stringify(name)} is not a header name`)];
    if (NOT_TO_BE_CHANGED.has(lower)) {
      const remedy = lower === "host" ? ": use the hostname of a URLRewrite" : "";
      return [violation(place, "NotSupported", `a filter may not change ${lower}${remedy}`)];
    }
    if (seen.has(lower)) return [violation(place, "Duplicate", `${name} is changed already: a filter changes each header once`)];
    seen.add(lower);
    return [];
  };
  const checkEntries = (field: "set" | "add"): Violation[] =>
    (modifier[field] ?? []).flatMap(({ name, value }, index) => {
      const item = itemAt(fieldAt(at, field), index);
      return [
        ...checkName(name, fieldAt(item, "name")),
        ...(isPrintable(value) ? [] : [violation(fieldAt(item, "value"), "Invalid", "must be printable ASCII")]),
      ];
    });
  return [
    ...checkEntries("set"),
    ...checkEntries("add"),
    ...(modifier.remove ?? []).flatMap((name, index) => checkName(name, itemAt(fieldAt(at, "remove"), index))),
  ];
}

function validateMirror(filter: RouteFilter, at: string): Violation[] {
  const { backendRef, percent, fraction } = filter.requestMirror ?? {};
  const found = backendRef === undefined ? [] : validateBackendReference(backendRef, fieldAt(at, "backendRef"));
  if (percent !== undefined && fraction !== undefined) found.push(violation(fieldAt(at, "fraction"), "Conflict", "excludes percent"));
  if (fraction !== undefined && fraction.numerator > (fraction.denominator ?? 100)) {
    found.push(violation(fieldAt(at, "fraction"), "Invalid", "is more than everything"));
  }
  return found;
}

function validateRedirect(filter: RouteFilter, at: string, context: FilterContext): Violation[] {
  const { scheme, hostname, path, port } = filter.requestRedirect ?? {};
  const found = path === undefined ? [] : validatePathModifier(path, fieldAt(at, "path"), context);
  if (scheme === undefined && hostname === undefined && path === undefined && port === undefined) {
    found.push(warning(at, "Invalid", "redirects every request to where it came from: give it a scheme, hostname, path or port"));
  }
  return found;
}

function validateRewrite(filter: RouteFilter, at: string, context: FilterContext): Violation[] {
  const { path } = filter.urlRewrite ?? {};
  return path === undefined ? [] : validatePathModifier(path, fieldAt(at, "path"), context);
}

function validatePathModifier(modifier: PathModifier, at: string, context: FilterContext): Violation[] {
  const wanted = modifier.type === "ReplaceFullPath" ? "replaceFullPath" : "replacePrefixMatch";
  const stray = modifier.type === "ReplaceFullPath" ? "replacePrefixMatch" : "replaceFullPath";
  const found: Violation[] = [];
  const value = modifier[wanted];
  if (modifier[stray] !== undefined) found.push(violation(fieldAt(at, stray), "Conflict", `does not belong to type ${modifier.type}`));
  if (value === undefined) found.push(violation(fieldAt(at, wanted), "Required", `is required by type ${modifier.type}`));
  else if (modifier.type === "ReplaceFullPath" || value !== "") found.push(...validatePlainPath(value, fieldAt(at, wanted)));
  if (modifier.type === "ReplacePrefixMatch" && !context.onePrefix) {
    found.push(violation(fieldAt(at, "type"), "Conflict", "ReplacePrefixMatch needs a rule with exactly one match, of type PathPrefix"));
  }
  return found;
}
