import type { DefaultAccess, PostQuantum, TlsVersion } from "../core/mesh-words.ts";
import type { MeshConfigSpec } from "./schema.ts";

/** The name of the one MeshConfig there is. */
export const MESH_CONFIG_NAME = "mesh";

/** A MeshConfig with every default filled in. */
export interface MeshSettings {
  readonly trustDomain: string;
  readonly access: {
    readonly default: DefaultAccess;
    readonly namespaces: readonly { readonly name: string; readonly default: DefaultAccess }[];
  };
  readonly tls: { readonly minVersion: TlsVersion; readonly postQuantum: PostQuantum };
}

/** The settings of a mesh without a MeshConfig are those of an empty one: closed. */
export function meshSettings(spec: MeshConfigSpec = {}): MeshSettings {
  return {
    trustDomain: spec.trustDomain ?? "cluster.local",
    access: { default: spec.access?.default ?? "Deny", namespaces: spec.access?.namespaces ?? [] },
    tls: { minVersion: spec.tls?.minVersion ?? "1.2", postQuantum: spec.tls?.postQuantum ?? "Prefer" },
  };
}

/**
 * The settings while the MeshConfig does not hold: identities stay what they are, everything else is as strict as it
 * can be. `lastGood` is its last state that held.
 */
export function closedSettings(lastGood: MeshConfigSpec | undefined): MeshSettings {
  const { trustDomain, tls } = meshSettings(lastGood);
  return { trustDomain, access: { default: "Deny", namespaces: [] }, tls };
}

/** What happens in a namespace to a request that no policy speaks of. */
export function defaultAccessOf(settings: MeshSettings, namespace: string): DefaultAccess {
  return settings.access.namespaces.find((entry) => entry.name === namespace)?.default ?? settings.access.default;
}
