/** Objects that Seawall keeps in the Kubernetes API: how they are marked, and what is read of those that come back. */

/** A Secret or a ConfigMap as the API server sends it; nothing of it is believed before it was looked at. */
export interface StoredObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly resourceVersion: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
}

const MANAGED_BY = "app.kubernetes.io/managed-by";

/** The labels of every object that the control plane itself makes and may change or remove. */
export const OWN_LABELS: Readonly<Record<string, string>> = {
  "app.kubernetes.io/name": "seawall",
  "app.kubernetes.io/component": "control-plane",
  [MANAGED_BY]: "seawall",
};

/** Whether the control plane made an object of a name that it uses. */
export function isOwn({ metadata }: StoredObject): boolean {
  return metadata.labels?.[MANAGED_BY] === OWN_LABELS[MANAGED_BY];
}

/** An object of an answer or a watch event; undefined where it is none. */
export function storedObject(answer: unknown): StoredObject | undefined {
  if (!isRecord(answer) || !isRecord(answer["metadata"])) return undefined;
  const { name, namespace, resourceVersion } = answer["metadata"];
  if (typeof name !== "string" || typeof namespace !== "string" || typeof resourceVersion !== "string") return undefined;
  const { data } = answer;
  if (data !== undefined && !(isRecord(data) && Object.values(data).every((value) => typeof value === "string"))) return undefined;
  return answer as unknown as StoredObject;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
