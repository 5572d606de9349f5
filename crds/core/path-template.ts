/**
 * Paths as policies write them: exact (`/orders`), with a variable for one non-empty segment (`/orders/{orderId}`), or
 * open at the end (`/static/**` covers `/static`, `/static/` and all below). Case and slashes count. There are no
 * prefixes: `/` would open everything. Templates are compared with canonical paths (canonical-path.ts).
 */
import { BAD_PATH, canonicalPath } from "./canonical-path.ts";

export type PathSegment = { readonly kind: "literal"; readonly text: string } | { readonly kind: "variable"; readonly name: string };

export interface PathTemplate {
  /** What stands between the slashes; an empty last literal is a trailing slash. */
  readonly segments: readonly PathSegment[];
  /** Ends with `/**`: any number of further segments, none included. */
  readonly open: boolean;
}

/** A template, or what is wrong with its text and how to write it. */
export type ParsedTemplate =
  { readonly kind: "template"; readonly template: PathTemplate } | { readonly kind: "mistake"; readonly message: string };

const VARIABLE = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/;

export function parsePathTemplate(text: string): ParsedTemplate {
  const mistake = mistakeIn(text);
  if (mistake !== undefined) return { kind: "mistake", message: mistake };
  const written = text.slice(1).split("/");
  const open = written.at(-1) === "**";
  const segments = (open ? written.slice(0, -1) : written).map((segment): PathSegment => {
    const variable = VARIABLE.exec(segment)?.[1];
    return variable === undefined ? { kind: "literal", text: segment } : { kind: "variable", name: variable };
  });
  return { kind: "template", template: { segments, open } };
}

/** The template of a text that was validated before. Throws on any other: that is a bug. */
export function pathTemplate(text: string): PathTemplate {
  const parsed = parsePathTemplate(text);
  if (parsed.kind === "mistake") throw new Error(`not a path template: ${text}: ${parsed.message}`);
  return parsed.template;
}

/** Whether a canonical path is one of those that the template describes. */
export function matchesPath(template: PathTemplate, canonical: string): boolean {
  const { segments, open } = template;
  const called = canonical.slice(1).split("/");
  if (open ? called.length < segments.length : called.length !== segments.length) return false;
  return segments.every((segment, index) => {
    const text = called[index] ?? "";
    return segment.kind === "variable" ? text !== "" : upperCaseEscapes(segment.text) === upperCaseEscapes(text);
  });
}

/** The template as an RE2 expression for the whole of a canonical path. */
export function toRegex({ segments, open }: PathTemplate): string {
  const parts = segments.map((segment) => `/${segment.kind === "variable" ? "[^/]+" : literalRegex(segment.text)}`);
  if (!open) return parts.join("");
  return segments.length === 0 ? "/.*" : `${parts.join("")}(?:/.*)?`;
}

/** The only path that the template describes, when there is but one spelling of it. */
export function onlyPath({ segments, open }: PathTemplate): string | undefined {
  const literals = segments.map((segment) => (segment.kind === "literal" && !segment.text.includes("%") ? segment.text : undefined));
  return open || literals.includes(undefined) ? undefined : `/${literals.join("/")}`;
}

/** Escapes are the same in either case: `%c3` is `%C3`. */
function literalRegex(text: string): string {
  return text
    .replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`)
    .replaceAll(/%[0-9A-Fa-f]{2}/g, (escape) =>
      escape.replaceAll(/[A-Fa-f]/g, (digit) => `[${digit.toUpperCase()}${digit.toLowerCase()}]`),
    );
}

function upperCaseEscapes(text: string): string {
  return text.replaceAll(/%[0-9a-f]{2}/gi, (escape) => escape.toUpperCase());
}

function mistakeIn(text: string): string | undefined {
  if (!text.startsWith("/"))
    return `a path begins with "/": ${text === "*" || text === "**" ? "write `/**` for every path" : `write \`/${text}\``}`;
  if (text.includes("?")) return `paths are compared without the query: write \`${text.slice(0, text.indexOf("?"))}\``;
  if (text.includes("#")) return "a request has no fragment: leave out `#` and what follows it";
  const segments = text.slice(1).split("/");
  const stars = segments.findIndex((segment) => segment.includes("*"));
  if (stars !== -1 && !(segments[stars] === "**" && stars === segments.length - 1)) return starMistake(segments, stars);
  const names = new Set<string>();
  for (const segment of segments) {
    const variable = VARIABLE.exec(segment)?.[1];
    if (variable !== undefined) {
      if (names.has(variable)) return `the variable {${variable}} occurs twice: give each segment its own name`;
      names.add(variable);
    } else if (/[{}]/.test(segment)) {
      return `\`${segment}\` is not a variable: \`{name}\` of letters, digits and _ stands for a whole segment`;
    } else if (/^:[A-Za-z_]\w*$/.test(segment)) return `write \`{${segment.slice(1)}}\` for a variable segment`;
  }
  return spellingMistake(text);
}

function starMistake(segments: readonly string[], at: number): string {
  const before = segments
    .slice(0, at)
    .map((segment) => `/${segment}`)
    .join("");
  if (at !== segments.length - 1) return "`**` stands only at the end; `{name}` stands for one segment";
  if (segments[at] === "*")
    return `write \`${before}/{name}\` for one segment, or \`${before}/**\` for everything from \`${before || "/"}\` on`;
  return `\`*\` stands only in a last \`/**\`, for whole segments: write \`${before}/**\`, or each path`;
}

/** Requests are compared in their canonical spelling, so another one would never match. */
function spellingMistake(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return "a percent sign begins an escape such as %20; itself it is %25";
  const ascii = text.toWellFormed().replaceAll(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));
  const variables: string[] = [];
  const probe = ascii.replaceAll(/\{\w+\}/g, (variable) => `~${variables.push(variable) - 1}~`);
  let canonical: string | typeof BAD_PATH = probe;
  for (let before: string | undefined; canonical !== BAD_PATH && canonical !== before;) {
    before = canonical;
    canonical = canonicalPath(canonical);
  }
  if (canonical === BAD_PATH) return "requests with an encoded slash, backslash or NUL are refused with 400 before any policy";
  const spelled = upperCaseEscapes(canonical).replaceAll(/~(\d+)~/g, (token, index: string) => variables[Number(index)] ?? token);
  return spelled === text ? undefined : `requests are compared in canonical spelling: write \`${spelled}\``;
}
