/** A mesh computed once from what was read, without a control plane: for `explain -f` and `translate`. */
import type { JwksState } from "../crds/authentication-policy/index.ts";
import type { EncodedResource } from "../xds-server/delta/feed.ts";
import type { SingletonKey, Source } from "./collections/collection.ts";
import { Graph } from "./collections/graph.ts";
import { buildMesh, type Mesh } from "./mesh/mesh.ts";
import { SOURCE_KINDS } from "./source-kinds.ts";
import type { SourceEntry } from "./model/source-entry.ts";

export interface OfflineMesh {
  readonly mesh: Mesh;
  /** Empty: nothing is fetched offline. */
  readonly jwks: Source<string, JwksState>;
}

/** `entries` by the keys of `sourceKey`, as `readManifests` gives them. */
export function offlineMesh(entries: ReadonlyMap<string, SourceEntry>): OfflineMesh {
  const graph = new Graph({
    schedule: () => undefined,
    onError: (fault) => {
      throw new Error(`a fault of kind ${fault.kind}`, { cause: fault });
    },
  });
  const sources = new Map(SOURCE_KINDS.map((kind): [string, Source<string, SourceEntry>] => [kind, graph.source(kind)]));
  const jwks = graph.source<string, JwksState>("jwks");
  const trust = graph.source<SingletonKey, EncodedResource>("trust");
  const mesh = buildMesh(graph, {
    source: (kind) => {
      const source = sources.get(kind);
      if (source === undefined) throw new Error(`no source of kind ${kind}`);
      return source;
    },
    jwks,
    trust,
  });
  for (const [key, entry] of entries) sources.get(key.slice(0, key.indexOf("/")))?.set(key, entry);
  for (const source of [...sources.values(), jwks, trust]) source.markSynced();
  graph.tick();
  return { mesh, jwks };
}
