import type { CalledPort } from "../request.ts";

/** What the parts of a rule are judged in. */
export interface EvaluateContext {
  /** The namespace that bare service accounts and `Same` refer to; undefined for a cluster-scoped policy. */
  readonly namespace: string | undefined;
  readonly trustDomain: string;
  readonly port: CalledPort;
  /**
   * What a condition on HTTP is worth where there is no HTTP: false in an Allow rule, true in a Deny rule; in `except`
   * the other way round. Unknown is never a way in.
   */
  readonly unknown: boolean;
}

/** What did not hold, in words for a person; empty when everything held. */
export type Unmet = readonly string[];

/** The alternative that comes nearest: empty when one of them holds, or when there is none to hold. */
export function nearestAlternative<Item>(items: readonly Item[] | undefined, judge: (item: Item) => Unmet): Unmet {
  if (items === undefined) return [];
  const [nearest = []] = items.map(judge).toSorted((a, b) => a.length - b.length);
  return nearest;
}

/** "a", "a or b", "a, b or c". */
export function listed(names: readonly (string | number)[]): string {
  return names.length <= 1 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names.at(-1) ?? ""}`;
}
