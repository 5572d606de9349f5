import { RE2JS, RE2JSSyntaxException } from "re2js";
import { fieldAt, itemAt } from "../core/field-path.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import type { RouteMatchSpec } from "./schema.ts";

/** RFC 9110, section 5.6.2. */
export const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;

/**
 * In steps as re2js counts them. A sidecar takes ten times as many (SIDECAR_RUNTIME), and refuses the whole route table for
 * one that is larger; RE2 needs up to ten of its own steps for one of these, since it reads bytes.
 */
const LARGEST_PROGRAM = 1_000;

export function validateMatch(match: RouteMatchSpec, at: string): Violation[] {
  return [
    ...validatePath(match.path?.type ?? "PathPrefix", match.path?.value ?? "/", fieldAt(fieldAt(at, "path"), "value")),
    ...validateValues(match.headers ?? [], fieldAt(at, "headers"), (name) => name.toLowerCase()),
    ...validateValues(match.queryParams ?? [], fieldAt(at, "queryParams"), (name) => name),
    ...(match.method === "CONNECT"
      ? [violation(fieldAt(at, "method"), "NotSupported", "CONNECT opens a tunnel, which routes of a Service do not take part in")]
      : []),
  ];
}

function validatePath(type: "Exact" | "PathPrefix" | "RegularExpression", value: string, at: string): Violation[] {
  if (type === "RegularExpression") return validateRegex(value, at);
  return validatePlainPath(value, at);
}

/** A path that requests can have: it is compared with the canonical one, so what is not canonical would never match. */
export function validatePlainPath(value: string, at: string): Violation[] {
  const invalid = (message: string): Violation[] => [violation(at, "Invalid", message)];
  if (!value.startsWith("/")) return invalid(`${JSON.stringify(value)} must begin with a slash`);
  if (/[?#]/.test(value)) return invalid("a path has neither query nor fragment");
  if (!/^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+$/.test(value)) {
    return invalid(`${JSON.stringify(value)} has a character that a path may only have percent-encoded`);
  }
  if (value.includes("//")) return invalid("slashes are merged before paths are compared: write one");
  if (/\/\.{1,2}(\/|$)/.test(value)) return invalid("dot segments are resolved before paths are compared: write the path without them");
  if (/%2f|%5c|%00/i.test(value)) return invalid("a request with an encoded slash, backslash or NUL is refused before any route is asked");
  const encoded = (value.match(/%[0-9A-Fa-f]{2}/g) ?? []).find((escape) => /[A-Za-z0-9\-._~]/.test(decodeByte(escape)));
  if (encoded !== undefined) return invalid(`${encoded} is decoded before paths are compared: write ${decodeByte(encoded)}`);
  return [];
}

function decodeByte(escape: string): string {
  return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
}

export function validateValues(
  matches: readonly { readonly type?: "Exact" | "RegularExpression"; readonly name: string; readonly value: string }[],
  at: string,
  normalize: (name: string) => string,
): Violation[] {
  const seen = new Set<string>();
  return matches.flatMap(({ type, name, value }, index) => {
    const item = itemAt(at, index);
    const found: Violation[] = [];
    if (!TOKEN.test(name)) found.push(violation(fieldAt(item, "name"), "Invalid", `${JSON.stringify(name)} is not a name`));
    if (seen.has(normalize(name))) {
      found.push(warning(fieldAt(item, "name"), "Duplicate", `only the first entry for ${JSON.stringify(name)} counts`));
    }
    seen.add(normalize(name));
    if (type === "RegularExpression") found.push(...validateRegex(value, fieldAt(item, "value")));
    else if (!isPrintable(value)) found.push(violation(fieldAt(item, "value"), "Invalid", "must be printable ASCII"));
    return found;
  });
}

export function isPrintable(value: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(value);
}

/** RE2, over bytes: what Envoy runs and re2js reads the same way. */
export function validateRegex(value: string, at: string): Violation[] {
  const invalid = (message: string): Violation[] => [violation(at, "Invalid", message)];
  if (value === "") return invalid("an empty expression matches nothing that is sent");
  if (!/^[\x20-\x7e]*$/.test(value) || /\\[pPCx]/.test(value)) {
    return invalid("an expression is printable ASCII and uses neither \\p, \\x nor \\C");
  }
  try {
    const size = RE2JS.compile(value).programSize();
    if (size <= LARGEST_PROGRAM) return [];
    return [violation(at, "TooMany", `the expression compiles to ${size} steps, of which a route has at most ${LARGEST_PROGRAM}`)];
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return invalid(`not an RE2 expression: ${error.message}`);
    throw error;
  }
}
