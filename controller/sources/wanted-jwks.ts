import type { AuthenticationPolicySpec } from "../../crds/authentication-policy/index.ts";
import type { Collection } from "../collections/collection.ts";
import type { SourceEntry } from "../model/source-entry.ts";

/** The URIs of all key sets that some valid AuthenticationPolicy names. */
export function wantedJwks(policies: Collection<string, SourceEntry>): ReadonlySet<string> {
  const uris = new Set<string>();
  for (const [, entry] of policies.entries()) {
    if (entry.state !== "valid") continue;
    for (const { jwt } of (entry.object.spec as AuthenticationPolicySpec).accept) {
      if (jwt?.jwks.uri !== undefined) uris.add(jwt.jwks.uri);
    }
  }
  return uris;
}
