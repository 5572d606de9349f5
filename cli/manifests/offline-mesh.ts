/** The mesh that manifests describe, without a control plane that runs. */
import type { EncodedResource } from "../../xds-server/delta/feed.ts";
import type { JwksState } from "../../crds/authentication-policy/index.ts";
import type { KubernetesObject } from "../../crds/core/object.ts";
import type { Collection, SingletonKey, Source } from "../../controller/collections/collection.ts";
import { Graph } from "../../controller/collections/graph.ts";
import { buildMesh, type Mesh } from "../../controller/mesh/mesh.ts";
import { type SourceEntry, sourceKey } from "../../controller/model/source-entry.ts";
import { SOURCE_KINDS } from "../../controller/source-kinds.ts";
import { wantedJwks } from "../../controller/sources/wanted-jwks.ts";

export interface OfflineMesh {
  readonly mesh: Mesh;
  readonly jwks: Collection<string, JwksState>;
  /** Where key sets would be fetched from, if this were a control plane. */
  readonly keySets: ReadonlySet<string>;
  /** Puts objects beside those of the manifests. */
  add(objects: Iterable<KubernetesObject>): void;
}

/** Builds the mesh of the entries. `keys` stands for every remote key set; without it they count as not fetched. */
export function offlineMesh(entries: ReadonlyMap<string, SourceEntry>, keys?: string): OfflineMesh {
  const graph = new Graph({ schedule: () => undefined });
  const sources = new Map(
    SOURCE_KINDS.map((kind): [string, Source<string, SourceEntry>] => [kind, graph.source<string, SourceEntry>(kind)]),
  );
  const sourceOf = (kind: string): Source<string, SourceEntry> => {
    const source = sources.get(kind);
    if (source === undefined) throw new Error(`no source of kind ${kind}`);
    return source;
  };
  const jwks = graph.source<string, JwksState>("jwks");
  const trust = graph.source<SingletonKey, EncodedResource>("trust");
  const mesh = buildMesh(graph, { source: sourceOf, jwks, trust, dataPlane: { kind: "standalone" } });
  for (const [key, entry] of entries) sources.get(kindOf(key))?.set(key, entry);
  for (const source of [...sources.values(), jwks, trust]) source.markSynced();
  graph.tick();
  const keySets = wantedJwks(sourceOf("AuthenticationPolicy"));
  for (const uri of keySets)
    jwks.set(uri, keys === undefined ? { state: "pending", error: "nothing is fetched here" } : { state: "good", keys });
  graph.tick();
  return {
    mesh,
    jwks,
    keySets,
    add(objects) {
      for (const object of objects) {
        const { kind, metadata } = object;
        const entry: SourceEntry = { state: "valid", object, origin: { file: "", line: 0 }, warnings: [] };
        sourceOf(kind).set(sourceKey(kind, metadata.namespace, metadata.name), entry);
      }
      graph.tick();
    },
  };
}

function kindOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}
