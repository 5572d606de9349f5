import type { HostileRequest } from "../support/http-client.ts";
import type { OracleRequest } from "./oracle-request.ts";
import type { TokenMint } from "./token-presentation.ts";

/** What goes over the wire: tokens are minted, each in an authorization line of its own. `now` is seconds since 1970. */
export async function onTheWire(request: OracleRequest, mint: TokenMint, now: number): Promise<HostileRequest> {
  const tokens = await Promise.all(request.tokens.map((token) => mint.mint(token, now)));
  return {
    method: request.method,
    path: request.path,
    authority: request.authority,
    headers: [...request.headers, ...tokens.map((token) => ["authorization", `Bearer ${token}`] as const)],
  };
}
