/** What a replica tells the leader, as JSON. What one message says of a policy and a pod takes the place of what was said before. */
import type { AcknowledgementLedger } from "./acknowledgement-ledger.ts";
import type { SettledPolicies } from "./settled-policies.ts";

export interface AcknowledgementMessage {
  /** Pods (by id) that run a policy in this state; without a state: that have to show it anew. */
  readonly acknowledged: readonly { readonly policy: string; readonly state?: string; readonly pods: readonly string[] }[];
  /** By pod id what its Envoy refuses; null: nothing any more. */
  readonly rejections: Readonly<Record<string, string | null>>;
  /** By policy the state that the replica has brought to all whom it concerns; see SettledPolicies. */
  readonly settled: Readonly<Record<string, string>>;
}

/** One policy and one pod, in whatever state. */
export interface Acknowledged {
  readonly policy: string;
  readonly pod: string;
  readonly state: string | undefined;
}

export function acknowledgementMessage(
  acknowledged: Iterable<Acknowledged>,
  rejections: Iterable<readonly [pod: string, words: string | undefined]>,
  settled: Iterable<readonly [policy: string, revision: string]>,
): AcknowledgementMessage {
  const groups = new Map<string, { policy: string; state?: string; pods: string[] }>();
  for (const { policy, pod, state } of acknowledged) {
    const key = `${policy} ${state ?? ""}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { policy, ...(state === undefined ? {} : { state }), pods: [pod] });
    else group.pods.push(pod);
  }
  return {
    acknowledged: [...groups.values()],
    rejections: Object.fromEntries([...rejections].map(([pod, words]) => [pod, words ?? null])),
    settled: Object.fromEntries(settled),
  };
}

/** Takes a message over into the ledger of all replicas, and into what this one has settled. */
export function recordMessage(ledger: AcknowledgementLedger, settled: SettledPolicies, message: AcknowledgementMessage): void {
  for (const { policy, state, pods } of message.acknowledged) for (const pod of pods) ledger.record(policy, pod, state);
  for (const [pod, words] of Object.entries(message.rejections)) ledger.recordRejection(pod, words ?? undefined);
  // Last: whatever its sidecars run was said before.
  for (const [policy, revision] of Object.entries(message.settled)) settled.record(policy, revision);
}

/** Undefined for what no replica sends. */
export function parseAcknowledgements(text: string): AcknowledgementMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isMessage(value) ? value : undefined;
}

function isMessage(value: unknown): value is AcknowledgementMessage {
  if (!isRecord(value) || !isRecord(value["rejections"]) || !isRecord(value["settled"]) || !Array.isArray(value["acknowledged"]))
    return false;
  if (!Object.values(value["settled"]).every((revision) => typeof revision === "string")) return false;
  const words = Object.values(value["rejections"]);
  return words.every((one) => one === null || typeof one === "string") && value["acknowledged"].every(isGroup);
}

function isGroup(value: unknown): boolean {
  if (!isRecord(value) || typeof value["policy"] !== "string" || !Array.isArray(value["pods"])) return false;
  return (value["state"] === undefined || typeof value["state"] === "string") && value["pods"].every((pod) => typeof pod === "string");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
