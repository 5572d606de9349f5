import type { ObjectMeta } from "./object.ts";

/** `<kind>/<namespace>/<policy>/<rule>`, the kind in lower case and the namespace empty for a cluster-scoped kind: what logs, metrics and explain say. */
export function ruleName(kind: string, metadata: Pick<ObjectMeta, "namespace" | "name">, rule: string): string {
  return `${kind.toLowerCase()}/${metadata.namespace ?? ""}/${metadata.name}/${rule}`;
}

/** The rule of a policy that does not hold: it refuses everything. No rule of a user may have this name. */
export const INVALID_RULE = "invalid";

/** Rule names compare as Envoy compares them. They are ASCII, so code units are bytes. */
export function smallestName(names: readonly string[]): string | undefined {
  return names.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))[0];
}

/** What is wrong with the name of a rule or limit; undefined when nothing is. */
export function ruleNameMistake(name: string): string | undefined {
  if (name === INVALID_RULE) return "`invalid` is what Seawall calls the rule of a policy that cannot be read: choose another name";
  if (name.length > 63 || !/^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/.test(name)) {
    return "a name is at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends";
  }
  return undefined;
}
