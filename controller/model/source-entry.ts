import type { KubernetesObject } from "../../crds/core/object.ts";
import type { Violation } from "../../crds/core/violation.ts";

/** Where an object was read: a file and the line of its document, or the API server (line 0). */
export interface Origin {
  readonly file: string;
  readonly line: number;
}

export interface ObjectIdentity {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

/** An object as a source gives it: one that holds, or one that does not with all that is wrong with it. */
export type SourceEntry =
  | { readonly state: "valid"; readonly object: KubernetesObject; readonly origin: Origin; readonly warnings: readonly Violation[] }
  | {
      readonly state: "invalid";
      readonly identity: ObjectIdentity;
      readonly origin: Origin;
      readonly violations: readonly Violation[];
      readonly lastGood?: KubernetesObject;
      /** What could be read of the object, so that its targets may still be found. */
      readonly partial: unknown;
    };

/** `<Kind>/<namespace>/<name>`, with an empty namespace for cluster-scoped kinds: the key of a source. */
export function sourceKey(kind: string, namespace: string | undefined, name: string): string {
  return `${kind}/${namespace ?? ""}/${name}`;
}
