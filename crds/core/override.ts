/**
 * Policies that override rather than add up: of several that cover the same port the most specific acts; of equally
 * specific ones the older, then the first by namespace and name (GEP-713).
 */
import type { ObjectMeta } from "./object.ts";
import { objectKey } from "./object.ts";

/** How specific a policy's target is; the larger number wins. */
export const SPECIFICITY = { cluster: 0, namespace: 1, workload: 2, route: 3, section: 4 } as const;
export type Specificity = (typeof SPECIFICITY)[keyof typeof SPECIFICITY];

export interface Candidate<Policy> {
  readonly policy: Policy;
  readonly metadata: ObjectMeta;
  readonly specificity: Specificity;
}

/** A policy that does not act here, and which one does instead. Conflicted: of the same rank, so probably a mistake. */
export interface Overridden<Policy> {
  readonly policy: Policy;
  readonly reason: "Overridden" | "Conflicted";
  readonly by: Policy;
}

export interface Effective<Policy> {
  readonly winner: Policy;
  readonly losers: readonly Overridden<Policy>[];
}

/** Decides among the policies that cover one port; undefined when there is none. */
export function effectivePolicy<Policy>(candidates: readonly Candidate<Policy>[]): Effective<Policy> | undefined {
  const [first, ...rest] = [...candidates].sort(precedence);
  if (first === undefined) return undefined;
  return {
    winner: first.policy,
    losers: rest.map((candidate) => ({
      policy: candidate.policy,
      reason: candidate.specificity === first.specificity ? "Conflicted" : "Overridden",
      by: first.policy,
    })),
  };
}

function precedence(one: Candidate<unknown>, other: Candidate<unknown>): number {
  if (one.specificity !== other.specificity) return other.specificity - one.specificity;
  if (age(one) !== age(other)) return age(one) < age(other) ? -1 : 1;
  const [oneKey, otherKey] = [objectKey(one.metadata), objectKey(other.metadata)];
  return oneKey < otherKey ? -1 : oneKey > otherKey ? 1 : 0;
}

/** An object without a creation time that can be read, as files have it, counts as younger than one that has one. */
function age(candidate: Candidate<unknown>): number {
  const created = Date.parse(candidate.metadata.creationTimestamp ?? "");
  return Number.isNaN(created) ? Infinity : created;
}
