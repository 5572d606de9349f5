import type { Kind } from "../core/kind.ts";
import { SEAWALL_API_VERSION } from "../core/object.ts";
import { MeshConfigSpec } from "./schema.ts";
import { validate } from "./validate.ts";

export const meshConfig: Kind<typeof MeshConfigSpec> = {
  kind: "MeshConfig",
  apiVersion: SEAWALL_API_VERSION,
  plural: "meshconfigs",
  shortNames: ["mesh"],
  scope: "Cluster",
  question: "trust domain, default access, TLS floor, post-quantum mode",
  security: true,
  schema: MeshConfigSpec,
  validate,
};

export { type MeshConfig, MeshConfigSpec } from "./schema.ts";
export { closedSettings, defaultAccessOf, MESH_CONFIG_NAME, type MeshSettings, meshSettings } from "./settings.ts";
