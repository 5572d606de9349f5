/**
 * Finds the tokens of a request, as the sidecar does. What looks like a token at a configured place but is not exactly
 * one is malformed, and refused: the application might read what was never verified.
 */
import { type TokenPlace, placeName } from "./token-place.ts";

export type PresentedAt =
  | { readonly place: TokenPlace; readonly kind: "tokens"; readonly tokens: readonly string[] }
  | { readonly place: TokenPlace; readonly kind: "malformed"; readonly why: string };

export interface TokenCarrier {
  /** As received, with its query. */
  readonly path: string;
  /** Lines in the order received, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What is presented at `place`, or undefined when nothing is. */
export function readTokens(request: TokenCarrier, place: TokenPlace): PresentedAt | undefined {
  return place.kind === "query" ? fromQuery(request.path, place) : fromHeader(linesOf(request, place.name), place);
}

/** Lines of `authorization` are one value by the time that a filter sees them; other headers keep their lines. */
function linesOf(request: TokenCarrier, name: string): readonly string[] {
  const lines = request.headers.filter(([header]) => header === name).map(([, value]) => value);
  return name === "authorization" && lines.length > 1 ? [lines.join(",")] : lines;
}

function fromHeader(lines: readonly string[], place: TokenPlace & { kind: "header" }): PresentedAt | undefined {
  if (place.prefix === "") return lines.length === 0 ? undefined : { place, kind: "tokens", tokens: lines };
  const [value] = lines;
  if (value === undefined || !mentions(value, place.prefix)) return undefined;
  const token = exactToken(value, place.prefix);
  if (token !== undefined) return { place, kind: "tokens", tokens: [token] };
  return { place, kind: "malformed", why: `${placeName(place)} is not exactly "${place.prefix}" and one token` };
}

/** Whether anybody could take a value for one with this prefix: in any case, anywhere, with any white space behind. */
function mentions(value: string, prefix: string): boolean {
  const word = prefix.trimEnd().toLowerCase();
  const needsSpace = word.length < prefix.length;
  const lower = value.toLowerCase();
  for (let at = lower.indexOf(word); at !== -1; at = lower.indexOf(word, at + 1)) {
    const next = lower[at + word.length];
    if (!needsSpace || next === " " || next === "\t") return true;
  }
  return false;
}

function exactToken(value: string, prefix: string): string | undefined {
  const token = value.slice(prefix.length);
  return value.startsWith(prefix) && /^[A-Za-z0-9_.-]+$/.test(token) ? token : undefined;
}

function fromQuery(path: string, place: TokenPlace & { kind: "query" }): PresentedAt | undefined {
  const start = path.indexOf("?");
  if (start === -1) return undefined;
  const values = path
    .slice(start + 1)
    .split("&")
    .map((parameter) => {
      const equals = parameter.indexOf("=");
      const [name, value] = equals === -1 ? [parameter, ""] : [parameter.slice(0, equals), parameter.slice(equals + 1)];
      return { name: percentDecoded(name), value: percentDecoded(value) };
    })
    .filter(({ name }) => name === place.name)
    .map(({ value }) => value);
  if (values.length === 0) return undefined;
  if (values.length > 1) return { place, kind: "malformed", why: `${placeName(place)} is given ${values.length} times` };
  return { place, kind: "tokens", tokens: values };
}

/** Each well-formed escape is one byte; anything else stands for itself. Tokens and their names are ASCII. */
function percentDecoded(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
