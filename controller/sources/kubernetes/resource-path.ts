import type { KnownKind } from "../known-kind.ts";

/** Where all objects of a kind are, in every namespace. */
export function resourcePath({ apiVersion, plural }: Pick<KnownKind, "apiVersion" | "plural">): string {
  return `${apiVersion.includes("/") ? "/apis" : "/api"}/${apiVersion}/${plural}`;
}
