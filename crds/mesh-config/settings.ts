import type { MeshConfigSpec, PostQuantum, TlsVersion } from "./schema.ts";

export type DefaultAccess = "Deny" | "Audit" | "Allow";

/** What holds for the whole mesh, with every default filled in. */
export interface MeshSettings {
  readonly trustDomain: string;
  readonly access: {
    readonly default: DefaultAccess;
    readonly namespaces: readonly { readonly name: string; readonly default: DefaultAccess }[];
  };
  readonly tls: { readonly minVersion: TlsVersion; readonly postQuantum: PostQuantum };
}

/** A mesh without MeshConfig, and one that never held: nothing is let in that no policy allows. */
export const CLOSED_MESH: MeshSettings = {
  trustDomain: "cluster.local",
  access: { default: "Deny", namespaces: [] },
  tls: { minVersion: "1.2", postQuantum: "Prefer" },
};

/** The effective settings; `spec` is undefined when there is no MeshConfig. */
export function meshSettings(spec: MeshConfigSpec | undefined): MeshSettings {
  return {
    trustDomain: spec?.trustDomain ?? CLOSED_MESH.trustDomain,
    access: { default: spec?.access?.default ?? CLOSED_MESH.access.default, namespaces: spec?.access?.namespaces ?? [] },
    tls: {
      minVersion: spec?.tls?.minVersion ?? CLOSED_MESH.tls.minVersion,
      postQuantum: spec?.tls?.postQuantum ?? CLOSED_MESH.tls.postQuantum,
    },
  };
}

/**
 * The settings while the MeshConfig does not hold: refuse by default everywhere. Trust domain and TLS stay as they last
 * held, since identities are made of the one and connections of the other.
 */
export function failClosed(lastGood: MeshSettings | undefined): MeshSettings {
  return { ...(lastGood ?? CLOSED_MESH), access: CLOSED_MESH.access };
}

/** The default access of a namespace: its own entry replaces that of the mesh. */
export function defaultAccess(settings: MeshSettings, namespace: string): DefaultAccess {
  return settings.access.namespaces.find((entry) => entry.name === namespace)?.default ?? settings.access.default;
}
