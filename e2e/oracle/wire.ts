import type { HeaderLine, HostileRequest } from "../support/http-client.ts";
import type { OracleRequest } from "./oracle-request.ts";
import { TOKEN_CARRIERS, type TokenMint } from "./token-presentation.ts";

/** What goes over the wire: tokens are minted, each in a line or a query parameter of its own. `now` is seconds since 1970. */
export async function onTheWire(
  request: OracleRequest,
  mint: TokenMint,
  now: number,
): Promise<HostileRequest & { readonly authority: string; readonly headers: readonly HeaderLine[] }> {
  const headers = [...request.headers];
  let { path } = request;
  for (const token of request.tokens) {
    const carried = TOKEN_CARRIERS[token.carrier ?? "bearer"](await mint.mint(token, now));
    if ("header" in carried) headers.push([carried.header[0], carried.header[1]]);
    else path += `${path.includes("?") ? "&" : "?"}${carried.parameter}`;
  }
  return { method: request.method, path, authority: request.authority, headers };
}

/**
 * What arrives of what was sent. Of an HTTP/1 header the white space around its value is no part. HTTP/1 refuses a path
 * with raw non-ASCII bytes; of HTTP/2 Envoy takes it, and escapes them before policies and the application see the path.
 */
export function asReceived<Sent extends { readonly path: string; readonly headers: readonly HeaderLine[] }>(
  version: 1 | 2,
  sent: Sent,
): Sent {
  const headers = sent.headers.map(([name, value]): HeaderLine => [name.toLowerCase(), version === 1 ? value.trim() : value]);
  const path = version === 1 ? sent.path : sent.path.replaceAll(/[\x80-\xff]/g, escaped);
  return { ...sent, headers, path };
}

function escaped(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase()}`;
}
