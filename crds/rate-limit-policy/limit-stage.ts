import type { Limit } from "./schema.ts";

/**
 * When a limit counts. Limits per address, and of nothing else, come before authentication, so that attempts with bad
 * credentials count. All others count only what was permitted: a refused caller must not use up somebody's share.
 */
export type LimitStage = "before-authentication" | "after-access";

export function stageOf(limit: Limit): LimitStage {
  const [only, ...others] = limit.per ?? [];
  return only?.type === "Address" && others.length === 0 ? "before-authentication" : "after-access";
}
