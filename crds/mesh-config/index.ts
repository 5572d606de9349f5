import type { Kind } from "../core/kind.ts";
import { SEAWALL_API_VERSION } from "../core/object.ts";
import { meshConfigResource } from "./custom-resource.ts";
import { MeshConfigSpec } from "./schema.ts";
import { validateMeshConfig } from "./validate.ts";

export const meshConfig: Kind<typeof MeshConfigSpec> = {
  kind: "MeshConfig",
  apiVersion: SEAWALL_API_VERSION,
  plural: "meshconfigs",
  shortNames: ["mc"],
  scope: "Cluster",
  question: "trust domain, default access, TLS floor, post-quantum mode",
  security: true,
  schema: MeshConfigSpec,
  customResource: meshConfigResource,
  validate: validateMeshConfig,
};

export { type MeshConfig, MeshConfigSpec, PostQuantum, TlsVersion } from "./schema.ts";
export { CLOSED_MESH, defaultAccess, type DefaultAccess, failClosed, type MeshSettings, meshSettings } from "./settings.ts";
export { MESH_CONFIG_NAME, validateMeshConfigChange } from "./validate.ts";
