/** The `status` of an object as the API server keeps it: conditions with the time of their last change. */
import { isDeepStrictEqual } from "node:util";
import type { RouteParentStatus } from "../../crds/core/route/status.ts";
import { conditionsOf } from "./condition.ts";
import type { PolicyReport } from "./policy-tallies.ts";

export const CONTROLLER_NAME = "seawall.dev/mesh";
/** GEP-713: the API server takes no more. */
const MOST_ANCESTORS = 16;
/** Characters; longer messages help nobody. */
const LONGEST_MESSAGE = 4_096;

/** `metav1.Condition`. */
export interface StatusCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

export type Status = Readonly<Record<string, unknown>>;

interface Said {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** `before` is what the object has now; `now` in Unix milliseconds. */
export function policyStatus({ subject, findings, targets }: PolicyReport, before: Status | undefined, now: number): Status {
  const ancestorsBefore = listOf(before?.["ancestors"]);
  return {
    conditions: withOthers(conditions(conditionsOf(findings), subject.generation, before?.["conditions"], now), before?.["conditions"]),
    ancestors: targets.slice(0, MOST_ANCESTORS).flatMap(({ position, findings: ofTarget }) => {
      const ancestorRef = subject.targets[position]?.ref;
      if (ancestorRef === undefined) return [];
      const earlier = ancestorsBefore.find((one) => isDeepStrictEqual(one["ancestorRef"], ancestorRef));
      return [
        {
          ancestorRef,
          controllerName: CONTROLLER_NAME,
          conditions: conditions(conditionsOf(ofTarget), subject.generation, earlier?.["conditions"], now),
        },
      ];
    }),
    sidecars: { affected: findings.tally.affected, programmed: findings.tally.programmed },
  };
}

/** Entries of other controllers stay as they are. */
export function routeStatus(
  parents: readonly RouteParentStatus[],
  generation: number | undefined,
  before: Status | undefined,
  now: number,
): Status {
  const parentsBefore = listOf(before?.["parents"]);
  const others = parentsBefore.filter((parent) => parent["controllerName"] !== CONTROLLER_NAME);
  const ours = parents.map(({ parentRef, conditions: said }) => {
    const earlier = parentsBefore.find(
      (parent) => parent["controllerName"] === CONTROLLER_NAME && isDeepStrictEqual(parent["parentRef"], parentRef),
    );
    return { parentRef, controllerName: CONTROLLER_NAME, conditions: conditions(said, generation, earlier?.["conditions"], now) };
  });
  return { parents: [...others, ...ours] };
}

/** Whether an object that has `before` needs to be told `after`. */
export function differs(before: Status | undefined, after: Status): boolean {
  return Object.entries(after).some(([field, value]) => {
    const had = before?.[field];
    const isNothing = Array.isArray(value) && value.length === 0 && had === undefined;
    return !isNothing && !isDeepStrictEqual(had, value);
  });
}

/** Whether the object says so already, of this generation. */
export function isProgrammed(status: Status | undefined, generation: number | undefined): boolean {
  const found = listOf(status?.["conditions"]).find(({ type }) => type === "Programmed");
  return found?.["status"] === "True" && found["observedGeneration"] === generation;
}

function conditions(said: readonly Said[], generation: number | undefined, before: unknown, now: number): readonly StatusCondition[] {
  const earlier = listOf(before);
  return said.map(({ type, status, reason, message }) => {
    const same = earlier.find((condition) => condition["type"] === type && condition["status"] === status);
    const since = same?.["lastTransitionTime"];
    return {
      type,
      status,
      reason,
      message: message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE - 1)}…` : message,
      lastTransitionTime: typeof since === "string" ? since : new Date(now).toISOString().replace(/\.\d+Z$/, "Z"),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
  });
}

/** Ours, then the conditions that somebody else has put there. */
function withOthers(ours: readonly StatusCondition[], before: unknown): readonly unknown[] {
  return [...ours, ...listOf(before).filter((condition) => !ours.some(({ type }) => type === condition["type"]))];
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? (value as readonly Readonly<Record<string, unknown>>[]) : [];
}
