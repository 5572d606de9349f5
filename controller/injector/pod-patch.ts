/** An injected pod as the difference from what it was (JSON Patch, RFC 6902). */
import { isDeepStrictEqual } from "node:util";
import type { OtherFields, PodTemplate } from "./pod-template.ts";

export interface PatchOperation {
  readonly op: "add";
  readonly path: string;
  readonly value: unknown;
}

/** The injector replaces whole fields of `metadata` and `spec`, so each that is another value is one operation. */
export function podPatch(before: PodTemplate, after: PodTemplate): readonly PatchOperation[] {
  return (["metadata", "spec"] as const).flatMap((part): readonly PatchOperation[] => {
    const [from, to] = [before[part] as OtherFields | undefined, after[part] as OtherFields | undefined];
    if (to === undefined) return [];
    if (from === undefined) return [{ op: "add", path: `/${part}`, value: to }];
    return Object.entries(to).flatMap(([field, value]) =>
      isDeepStrictEqual(from[field], value) ? [] : [{ op: "add", path: `/${part}/${field}`, value }],
    );
  });
}
