/** What may name a caller. Undefined means that nothing is wrong. */

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** `own` is the policy's namespace; a cluster-scoped policy has none, so it must name namespaces. */
export function serviceAccountMistake(name: string, own: string | undefined): string | undefined {
  const parts = name.split("/");
  if (parts.length > 2) return "write `name`, or `namespace/name` for another namespace";
  const namespace = parts.length === 1 ? own : parts[0];
  const account = parts.at(-1) ?? "";
  if (namespace === undefined) return `a cluster policy has no namespace of its own: write \`namespace/${account}\``;
  if (account === "*" && LABEL.test(namespace)) return `for every service account of ${namespace} write \`namespaces: [${namespace}]\``;
  if (!LABEL.test(namespace)) return `${JSON.stringify(namespace)} is not the name of a namespace`;
  return SUBDOMAIN.test(account) ? undefined : `${JSON.stringify(account)} is not the name of a service account`;
}

export function namespaceMistake(name: string, own: string | undefined): string | undefined {
  if (name === "Same") return own === undefined ? "a cluster policy has no namespace of its own: name one" : undefined;
  if (name === "*") return "there is no wildcard: name the namespaces";
  if (name.toLowerCase() === "same") return "write Same for the policy's own namespace";
  return LABEL.test(name) ? undefined : `${JSON.stringify(name)} is not the name of a namespace`;
}

export function spiffeIdMistake(id: string): string | undefined {
  if (!id.startsWith("spiffe://")) return "a SPIFFE id begins with spiffe://, as in spiffe://cluster.local/ns/shop/sa/web";
  if (id.includes("*")) return "SPIFFE ids are compared whole: there is no wildcard; `namespaces` covers a whole namespace";
  return /^spiffe:\/\/[a-z0-9._-]+(?:\/[A-Za-z0-9._-]+)+$/.test(id)
    ? undefined
    : "is not a SPIFFE id such as spiffe://cluster.local/ns/shop/sa/web (no query, no trailing slash)";
}
