/** What may stand in a header condition. Undefined means that nothing is wrong. */

const NOT_END_TO_END = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** Headers that the sidecar itself writes before it asks any policy. */
const WRITTEN_BY_SIDECAR = /^(?:x-envoy-.*|x-forwarded-(?:for|proto|client-cert|host|port)|x-request-id)$/;
const TOKEN = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

export function headerNameMistake(name: string): string | undefined {
  if (name.startsWith(":")) return `${name} is not a header: use \`methods\`, \`paths\` and \`hosts\` in \`to\``;
  const lower = name.toLowerCase();
  if (lower === "host") return "use `hosts` in `to`";
  if (!TOKEN.test(lower)) return `${JSON.stringify(name)} is not a header name`;
  if (lower !== name) return `header names are lower case: write ${lower}`;
  if (NOT_END_TO_END.has(name)) return `${name} belongs to one connection, not to the request: it cannot be relied upon`;
  if (WRITTEN_BY_SIDECAR.test(name)) return `${name} is written by the sidecar: it says nothing about the caller`;
  if (name === "cookie") return "cookies are split and joined on their way: a whole line of them cannot be compared";
  return undefined;
}

/** A comma joins lines: a value with one could be two values, and two values could be one. */
export function headerValueMistake(value: string): string | undefined {
  if (value === "") return "an empty value cannot be told from none";
  if (value.includes(",")) return "a comma separates values: list each value by itself";
  if (value !== value.trim()) return "white space around a header value is dropped on its way: write it without";
  return /^[\x20-\x7e]+$/.test(value) ? undefined : "a header value is printable ASCII";
}
