/** What the API server asks and is answered: `AdmissionReview` of admission.k8s.io/v1. */

export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly operation: string;
  /** Empty for what is cluster scoped. The object itself need not have it yet. */
  readonly namespace: string;
  /** What is to be stored; undefined for a deletion. */
  readonly object: unknown;
  /** What is stored; undefined for a creation. */
  readonly oldObject: unknown;
}

/** `warnings` are shown to the user whatever is decided. A refusal's message names every mistake at once. */
export type Verdict =
  | { readonly kind: "allowed"; readonly warnings: readonly string[]; readonly patch?: readonly unknown[] }
  | { readonly kind: "refused"; readonly warnings: readonly string[]; readonly reason: "Invalid" | "Forbidden"; readonly message: string };

export const ALLOWED: Verdict = { kind: "allowed", warnings: [] };

/** Undefined when the text is no review that could be answered. */
export function readReview(text: string): AdmissionRequest | undefined {
  let review: unknown;
  try {
    review = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(review) || review["apiVersion"] !== API_VERSION || review["kind"] !== "AdmissionReview") return undefined;
  const request = review["request"];
  if (!isRecord(request)) return undefined;
  const { uid, kind, operation, namespace, object, oldObject } = request;
  if (typeof uid !== "string" || uid === "" || typeof operation !== "string" || !isRecord(kind)) return undefined;
  return {
    uid,
    kind: { group: stringOf(kind["group"]), version: stringOf(kind["version"]), kind: stringOf(kind["kind"]) },
    operation,
    namespace: stringOf(namespace),
    object: object ?? undefined,
    oldObject: oldObject ?? undefined,
  };
}

export function reviewOf(uid: string, verdict: Verdict): unknown {
  const warnings = verdict.warnings.length === 0 ? {} : { warnings: verdict.warnings };
  if (verdict.kind === "refused") {
    const { reason, message } = verdict;
    const status = { status: "Failure", code: reason === "Invalid" ? 422 : 403, reason, message };
    return { apiVersion: API_VERSION, kind: "AdmissionReview", response: { uid, allowed: false, ...warnings, status } };
  }
  const { patch } = verdict;
  const patched =
    patch === undefined || patch.length === 0
      ? {}
      : { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") };
  return { apiVersion: API_VERSION, kind: "AdmissionReview", response: { uid, allowed: true, ...warnings, ...patched } };
}

const API_VERSION = "admission.k8s.io/v1";

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function stringOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
