/** What `seawall check` finds out. Findings are values, so that they can be printed as data. */
import { KubernetesApiError } from "../../controller/kubernetes/api.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Replica } from "../control-planes.ts";

/** `problem`: something does not work. `warning`: somebody should know or do something. `unknown`: it could not be seen. */
export type FindingState = "ok" | "warning" | "problem" | "unknown";

export interface Finding {
  /** What was looked at, in a word or two. */
  readonly area: string;
  readonly state: FindingState;
  readonly message: string;
  /** What to do about it: a sentence or a command. */
  readonly next?: string;
}

/** What every check looks at. */
export interface Installation {
  readonly cluster: Cluster;
  /** Replicas whose admin port was reached. */
  readonly replicas: readonly Replica[];
  /** Why none was reached. */
  readonly trouble?: string;
  /** Of this command. */
  readonly version: string;
  /** Unix milliseconds. */
  readonly now: number;
  /** How many milliseconds back access logs are read. */
  readonly sinceMs: number;
}

export interface Check {
  readonly area: string;
  look(installation: Installation): Promise<readonly Finding[]>;
}

/** Makes findings about one area. */
export function findingsAbout(area: string): Record<FindingState, (message: string, next?: string) => Finding> {
  const of =
    (state: FindingState) =>
    (message: string, next?: string): Finding => ({ area, state, message, ...(next === undefined ? {} : { next }) });
  return { ok: of("ok"), warning: of("warning"), problem: of("problem"), unknown: of("unknown") };
}

/** Runs a check; what it could not look at is a finding too. */
export async function perform(check: Check, installation: Installation): Promise<readonly Finding[]> {
  const { problem, unknown } = findingsAbout(check.area);
  try {
    return await check.look(installation);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (isForbidden(error)) return [unknown(`not looked at: ${error.message}`, "ask somebody who may, or for the permission")];
    return [problem(`could not be looked at: ${error.message}`)];
  }
}

export function isForbidden(error: unknown): boolean {
  return error instanceof KubernetesApiError && (error.status === 403 || error.status === 401);
}

/** `1 pod`, `3 pods`. */
export function count(amount: number, singular: string, plural = `${singular}s`): string {
  return `${amount} ${amount === 1 ? singular : plural}`;
}

/** The first few of a list, and how many more there are. */
export function some(items: readonly string[], shown = 3): string {
  return items.length <= shown ? items.join(", ") : `${items.slice(0, shown).join(", ")} and ${items.length - shown} more`;
}
