/** But not these: plain semantics of `except`, after 5-policies.md. */
import type { Except } from "../match.ts";
import type { PolicyRequest } from "../request.ts";
import { type EvaluateContext, nearestAlternative } from "./evaluate-context.ts";
import { unmetFrom } from "./evaluate-from.ts";
import { unmetTo } from "./evaluate-to.ts";

/** Whether one item of `except` holds, so that the rule does not. `context` is the rule's; unknown turns round inside. */
export function exceptHolds(except: Except, request: PolicyRequest, context: EvaluateContext): boolean {
  const inside = { ...context, unknown: !context.unknown };
  return (
    nearestAlternative(except.from, (from) => unmetFrom(from, request, inside)).length === 0 &&
    nearestAlternative(except.to, (to) => unmetTo(to, request, inside)).length === 0
  );
}
