import type { From } from "../core/match.ts";
import type { AnyAccessPolicy } from "./schema.ts";

/** A mesh identity that could be let in; `*` is every service account of the namespace. */
export interface Caller {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/**
 * Whom some rule of an Allow policy could let in, by identity alone: paths, claims and times are the server's business.
 * A rule that names no identity (only addresses or tokens, or nobody) could let in anyone. A Deny policy lets in nobody.
 */
export function callersOf(policy: AnyAccessPolicy): "everyone" | readonly Caller[] {
  const { action, rules = [] } = policy.spec;
  if (action === "Deny") return [];
  const callers = new Map<string, Caller>();
  for (const { from } of rules) {
    if (from === undefined) return "everyone";
    for (const item of from) {
      const named = callersOfItem(item, policy.metadata.namespace);
      if (named === "everyone") return "everyone";
      for (const caller of named) callers.set(`${caller.namespace}/${caller.serviceAccount}`, caller);
    }
  }
  return [...callers].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, caller]) => caller);
}

/** Fields of one item must all hold, so it lets in those whom each of them names. */
function callersOfItem(from: From, own: string | undefined): "everyone" | readonly Caller[] {
  const lists = [
    from.serviceAccounts?.map((name) => serviceAccount(name, own)),
    from.namespaces?.map((name) => ({ namespace: name === "Same" ? (own ?? "") : name, serviceAccount: "*" })),
    from.spiffeIds?.flatMap(ofSpiffeId),
  ].filter((list) => list !== undefined);
  const [first, ...rest] = lists;
  return first === undefined ? "everyone" : rest.reduce<readonly Caller[]>(inBoth, first);
}

function serviceAccount(name: string, own: string | undefined): Caller {
  const [first = "", second] = name.split("/");
  return second === undefined ? { namespace: own ?? "", serviceAccount: first } : { namespace: first, serviceAccount: second };
}

/** Ids of another form are those of no workload. */
function ofSpiffeId(id: string): Caller[] {
  const [, namespace, account] = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(id) ?? [];
  return namespace === undefined || account === undefined ? [] : [{ namespace, serviceAccount: account }];
}

function inBoth(some: readonly Caller[], others: readonly Caller[]): readonly Caller[] {
  return some.flatMap((one) =>
    others
      .filter((other) => one.namespace === other.namespace)
      .filter((other) => one.serviceAccount === "*" || other.serviceAccount === "*" || one.serviceAccount === other.serviceAccount)
      .map((other) => (one.serviceAccount === "*" ? other : one)),
  );
}
