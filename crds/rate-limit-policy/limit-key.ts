import { claimValue } from "../core/claims.ts";
import type { Identity, PolicyRequest } from "../core/request.ts";
import { unreachable } from "../core/unreachable.ts";
import type { LimitKey } from "./schema.ts";

/** What a request counts under that does not have the key. */
export const NO_KEY = "(none)";

/** The value of one key of `per` for a request. */
export function keyValue(key: LimitKey, request: PolicyRequest): string {
  switch (key.type) {
    case "Address":
      return request.peerAddress;
    case "Identity":
      return request.identity === undefined ? NO_KEY : spiffeId(request.identity);
    case "Header": {
      const name = (key.name ?? "").toLowerCase();
      const lines = request.headers.filter(([header]) => header === name).map(([, value]) => value);
      return lines.length === 0 ? NO_KEY : lines.join(",");
    }
    case "Claim": {
      const claims = request.jwts.find(({ issuer }) => issuer === key.issuer)?.claims ?? {};
      const value = claimValue(claims, key.name ?? "");
      return typeof value === "string" && value !== "" ? value : NO_KEY;
    }
    default:
      return unreachable(key.type);
  }
}

function spiffeId({ trustDomain, namespace, serviceAccount }: Identity): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}
