/** What admission knows of the mesh when somebody writes a policy: enough for warnings, never for a refusal. */
import type { Labels } from "../../crds/core/labels.ts";
import { acceptedIssuers } from "../../crds/authentication-policy/index.ts";
import type { Mesh } from "../mesh/mesh.ts";

export interface Known {
  /** By `namespace/name`. */
  hasService(key: string): boolean;
  namespaceLabels(namespace: string): Labels;
  /** Running pods with a sidecar. */
  sidecars(): Iterable<{ readonly namespace: string; readonly labels: Labels }>;
  /** Issuers whose tokens some AuthenticationPolicy accepts. */
  acceptedIssuers(): ReadonlySet<string>;
}

export function knownMesh({ inventory, policies }: Pick<Mesh, "inventory" | "policies">): Known {
  return {
    hasService: (key) => inventory.services.has(key),
    namespaceLabels: (namespace) => inventory.namespaceLabels.get(namespace) ?? {},
    sidecars: function* () {
      for (const [, pod] of inventory.pods.entries()) if (pod.injected) yield pod;
    },
    acceptedIssuers: () => {
      const entries = [...policies.authentication.entries.entries()];
      return new Set(entries.flatMap(([, { policy }]) => (policy.state === "valid" ? acceptedIssuers(policy.object.spec) : [])));
    },
  };
}
