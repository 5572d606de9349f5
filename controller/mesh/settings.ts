import { failClosed, MESH_CONFIG_NAME, type MeshConfigSpec, meshSettings, type MeshSettings } from "../../crds/mesh-config/index.ts";
import { type Collection, SINGLETON, type SingletonKey } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { type SourceEntry, sourceKey } from "../model/source-entry.ts";

export { defaultAccess, type MeshSettings } from "../../crds/mesh-config/index.ts";

/** What holds for the whole mesh; closed while the MeshConfig does not hold. */
export function settings(graph: Graph, meshConfigs: Collection<string, SourceEntry>): Collection<SingletonKey, MeshSettings> {
  return graph.singleton("settings", (context) => {
    const entry = context.fetch(meshConfigs, sourceKey("MeshConfig", undefined, MESH_CONFIG_NAME));
    if (entry === undefined) return meshSettings(undefined);
    if (entry.state === "valid") return meshSettings(entry.object.spec as MeshConfigSpec);
    return failClosed(meshSettings(entry.lastGood?.spec as MeshConfigSpec | undefined));
  });
}

/** The settings of a mesh whose graph has computed them. */
export function currentSettings(collection: Collection<SingletonKey, MeshSettings>): MeshSettings {
  return collection.get(SINGLETON) ?? meshSettings(undefined);
}
