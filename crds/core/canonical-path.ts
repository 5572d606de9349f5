/**
 * The path of a request as every policy sees it: without the query, unreserved characters decoded, `\` as `/`, dot
 * segments resolved, slashes merged. This is what Envoy does with `normalize_path`, `merge_slashes` and
 * `path_with_escaped_slashes_action: REJECT_REQUEST`, oddities included; a differential test holds it to a real one.
 */

/** The request is refused before any policy is asked: an escaped slash or NUL, a fragment, a raw non-ASCII byte, no path. */
export const BAD_PATH = Symbol("a path that no policy is asked about");

/** The canonical path of a request's path `received`, which may carry a query; its percent-escapes keep their case. */
export function canonicalPath(received: string): string | typeof BAD_PATH {
  if (!/^\/[\x21-\x7e]*$/.test(received) || received.includes("#")) return BAD_PATH;
  const query = received.indexOf("?");
  const path = query === -1 ? received : received.slice(0, query);
  if (/%2f|%5c|%00/i.test(path)) return BAD_PATH;
  return mergeSlashes(resolve(withoutDotParameters(path)));
}

/**
 * Whether a canonical path has a segment such as `..;x`: a server that cuts path parameters off (a servlet container)
 * would find a dot segment there and end elsewhere than at the path that a policy saw.
 */
export function hidesDotSegment(canonical: string): boolean {
  return /\/\.\.?;/.test(canonical);
}

/** `/..;x/` is a dot segment with a parameter: the parameter goes. */
function withoutDotParameters(path: string): string {
  return path.replaceAll(/(^|\/)(\.\.?);[^/]*(?=\/|$)/g, "$1$2");
}

const UNRESERVED = /[A-Za-z0-9\-._~]/;
const ESCAPED_WHEN_RAW = /["<>^`{|}]/;
const HEX_PAIR = /^%[0-9A-Fa-f]{2}$/;

/** One pass over the path, as a browser canonicalizes it. */
function resolve(path: string): string {
  let output = "";
  /** Where in `output` the last percent sign stands that begins no escape. */
  let lonePercent = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < path.length; at++) {
    const dots = output.endsWith("/") ? dotSegment(path, at) : undefined;
    if (dots !== undefined) {
      if (dots.up) output = output.slice(0, output.lastIndexOf("/", output.length - 2) + 1) || "/";
      at = dots.end - 1;
      continue;
    }
    const character = path.charAt(at);
    if (character === "/" || character === "\\") output += "/";
    else if (character === "%") {
      const escape = path.slice(at, at + 3);
      if (!HEX_PAIR.test(escape)) {
        lonePercent = output.length;
        output += "%";
        continue;
      }
      at += 2;
      const decoded = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
      if (!UNRESERVED.test(decoded)) output += escape;
      else if (completesEscape(output, lonePercent, decoded, path.charAt(at + 1))) {
        output = `${output.slice(0, lonePercent)}%25${output.slice(lonePercent + 1)}${decoded}`;
        lonePercent = Number.NEGATIVE_INFINITY;
      } else output += decoded;
    } else output += ESCAPED_WHEN_RAW.test(character) ? `%${character.charCodeAt(0).toString(16).toUpperCase()}` : character;
  }
  return output;
}

/** Whether a decoded character would turn the lone percent sign before it into an escape that was not in the request. */
function completesEscape(output: string, lonePercent: number, decoded: string, next: string): boolean {
  const tail = output.slice(lonePercent) + decoded;
  if (lonePercent < 0) return false;
  if (tail.length === 3) return HEX_PAIR.test(tail);
  return tail.length === 2 && HEX_PAIR.test(tail + next);
}

/** A `.` or `..` segment that begins at `at`: whether it goes up, and where the next segment begins. */
function dotSegment(path: string, at: number): { up: boolean; end: number } | undefined {
  const segment = /^(?:\.|%2e){1,2}(?=[/\\]|$)/i.exec(path.slice(at))?.[0];
  if (segment === undefined) return undefined;
  const up = /^(?:\.|%2e){2}$/i.test(segment);
  return { up, end: at + segment.length + 1 };
}

/** A path of nothing but several slashes becomes two, as in Envoy. */
function mergeSlashes(path: string): string {
  return /^\/{2,}$/.test(path) ? "//" : path.replaceAll(/\/{2,}/g, "/");
}
