/** What is said of a policy, as GEP-713 conditions: does it hold, does what it names exist, do the sidecars run it. */

export interface Condition {
  readonly type: "Accepted" | "ResolvedRefs" | "Programmed";
  readonly status: "True" | "False" | "Unknown";
  /** One word in CamelCase. */
  readonly reason: string;
  readonly message: string;
}

/** Another policy acts in a policy's stead, somewhere. */
export interface Loss {
  /** Conflicted: of the same rank, so probably a mistake. */
  readonly reason: "Overridden" | "Conflicted";
  /** `<Kind>/<namespace>/<name>`. */
  readonly by: string;
}

/** How far the sidecars are that a policy affects. */
export interface Tally {
  /** Running pods with a sidecar that the policy affects, connected or not. */
  readonly affected: number;
  /** Those of them that run its present generation. */
  readonly programmed: number;
  /** Some of the others (`namespace/pod`), sorted. */
  readonly awaited: readonly string[];
  /** One that refuses it, in its Envoy's words. */
  readonly rejection?: { readonly pod: string; readonly words: string };
}

export interface PolicyFindings {
  /** What is wrong with the policy; undefined when it holds. */
  readonly mistakes: string | undefined;
  /** What it names and what does not exist. */
  readonly missing: readonly string[];
  /** Whether it covers any workload. */
  readonly covers: boolean;
  readonly losses: readonly Loss[];
  readonly tally: Tally;
  /** Replicas that have yet to bring it to those of their sidecars that it concerns and does not count: callers. */
  readonly unsettled: readonly string[];
}

export function conditionsOf(findings: PolicyFindings): readonly [accepted: Condition, resolvedRefs: Condition, programmed: Condition] {
  return [acceptedCondition(findings), resolvedRefsCondition(findings), programmedCondition(findings)];
}

function acceptedCondition({ mistakes, losses, covers }: PolicyFindings): Condition {
  const type = "Accepted";
  if (mistakes !== undefined) {
    const consequence = covers ? "its targets refuse every request until it is mended: " : "";
    return { type, status: "False", reason: "Invalid", message: `${consequence}${mistakes}` };
  }
  const loss = losses.find(({ reason }) => reason === "Conflicted") ?? losses[0];
  if (loss === undefined) return { type, status: "True", reason: "Accepted", message: "" };
  return { type, status: loss.reason === "Conflicted" ? "False" : "True", reason: loss.reason, message: `${loss.by} acts instead` };
}

function resolvedRefsCondition({ missing, covers }: PolicyFindings): Condition {
  const type = "ResolvedRefs";
  if (missing.length > 0) return { type, status: "False", reason: "TargetNotFound", message: `not found: ${missing.join(", ")}` };
  if (!covers) return { type, status: "True", reason: "NoWorkloads", message: "no running workload is covered" };
  return { type, status: "True", reason: "ResolvedRefs", message: "" };
}

/**
 * True means what `kubectl wait` is asked for: this very generation is enforced wherever it has to be. So a policy that is
 * not accepted, or names what does not exist, is not programmed, however many sidecars know of it; one that affects no pod
 * is, for the pods to come will start with it.
 */
function programmedCondition(findings: PolicyFindings): Condition {
  const type = "Programmed";
  const { affected, programmed, awaited, rejection } = findings.tally;
  const count = `${programmed} of ${affected} sidecars`;
  const not = (reason: string, message: string): Condition => ({ type, status: "False", reason, message });
  if (rejection !== undefined) return not("Rejected", `${count}; ${rejection.pod} refuses ${rejection.words}`);
  if (programmed < affected) {
    const others = affected - programmed - awaited.length;
    const waiting = awaited.length === 0 ? "" : `; waiting for ${awaited.join(", ")}${others > 0 ? ` and ${others} more` : ""}`;
    return not(programmed === 0 ? "Pending" : "PartiallyProgrammed", count + waiting);
  }
  if (findings.mistakes !== undefined) return not("Invalid", `${count} refuse because of it`);
  if (findings.losses.some(({ reason }) => reason === "Conflicted"))
    return not("Conflicted", `${count}, where no other policy acts instead`);
  if (findings.missing.length > 0) return not("TargetNotFound", `${count}; not found: ${findings.missing.join(", ")}`);
  if (findings.unsettled.length > 0) return not("Pending", `${count}; waiting for callers at ${findings.unsettled.join(", ")}`);
  return { type, status: "True", reason: "Programmed", message: count };
}
