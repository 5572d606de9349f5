/** Claims as policies name them: plainly (`role`), or by JSON pointer (RFC 6901) into nested objects (`/realm/roles`). */

/** The keys that lead from the claims to the named one. */
export function claimPath(name: string): readonly string[] {
  if (!name.startsWith("/")) return [name];
  return name
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What is wrong with a claim's name; undefined when nothing is. */
export function claimNameMistake(name: string): string | undefined {
  if (claimPath(name).includes("")) return "names an empty key: write `role`, or a JSON pointer such as `/realm/roles`";
  if (name.startsWith("/") && /~(?![01])/.test(name)) return "in a JSON pointer `~` is written `~0` and `/` is written `~1`";
  return undefined;
}

/** The value of a claim, or undefined. Pointers lead through objects only, never into lists. */
export function claimValue(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  let at: unknown = claims;
  for (const key of claimPath(name)) {
    if (typeof at !== "object" || at === null || Array.isArray(at) || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

/** Whether a claim is one of `values`, or a list that holds one. Only strings compare: there is no coercion. */
export function claimHas(claims: Readonly<Record<string, unknown>>, name: string, values: readonly string[]): boolean {
  const value = claimValue(claims, name);
  const held: readonly unknown[] = Array.isArray(value) ? value : [value];
  return held.some((one) => typeof one === "string" && values.includes(one));
}

/** The claims that carry scopes: RFC 8693 has `scope`, others `scp`. Each is a list, or a string with spaces between. */
export const SCOPE_CLAIMS = ["scope", "scp"] as const;

export function hasScope(claims: Readonly<Record<string, unknown>>, scope: string): boolean {
  return SCOPE_CLAIMS.some((name) => {
    const value = claimValue(claims, name);
    return typeof value === "string" ? value.split(" ").includes(scope) : claimHas(claims, name, [scope]);
  });
}
