/** What every control plane stands on, wherever its objects come from: the graph, its sources and the mesh above them. */
import type { JwksState } from "../crds/authentication-policy/index.ts";
import type { EncodedResource } from "../xds-server/delta/feed.ts";
import { Metrics } from "./admin/metrics.ts";
import type { SingletonKey, Source } from "./collections/collection.ts";
import { Graph } from "./collections/graph.ts";
import type { Log } from "./control-plane-options.ts";
import { buildMesh, type Mesh } from "./mesh/mesh.ts";
import type { DataPlane } from "./model/data-plane.ts";
import type { SourceEntry } from "./model/source-entry.ts";
import { JwksSource, type JwksStore } from "./sources/jwks/jwks-source.ts";
import { wantedJwks } from "./sources/wanted-jwks.ts";
import { SOURCE_KINDS } from "./source-kinds.ts";

export interface Foundation {
  readonly metrics: Metrics;
  readonly graph: Graph;
  readonly sources: ReadonlyMap<string, Source<string, SourceEntry>>;
  readonly sourceOf: (kind: string) => Source<string, SourceEntry>;
  readonly jwks: Source<string, JwksState>;
  readonly trust: Source<SingletonKey, EncodedResource>;
  readonly mesh: Mesh;
}

export function layFoundation(dataPlane: DataPlane, log: Log): Foundation {
  const metrics = new Metrics();
  const graph = new Graph({
    onError: (fault) => {
      metrics.faults.inc({ kind: fault.kind });
      log(
        "error",
        `a fault was contained: ${JSON.stringify(fault, (_key, value: unknown) => (value instanceof Error ? value.stack : value))}`,
      );
    },
    onTick: (report) => metrics.tick(report),
  });
  const sources = new Map(SOURCE_KINDS.map((kind): [string, Source<string, SourceEntry>] => [kind, graph.source(kind)]));
  const sourceOf = (kind: string): Source<string, SourceEntry> => {
    const source = sources.get(kind);
    if (source === undefined) throw new Error(`no source of kind ${kind}`);
    return source;
  };
  const jwks = graph.source<string, JwksState>("jwks");
  const trust = graph.source<SingletonKey, EncodedResource>("trust");
  trust.markSynced();
  const mesh = buildMesh(graph, { source: sourceOf, jwks, trust, dataPlane });
  return { metrics, graph, sources, sourceOf, jwks, trust, mesh };
}

/** Fetches the key sets that AuthenticationPolicies name, now and as they change. Ticks, for objects that are there already. */
export function followJwks({ graph, jwks, sourceOf }: Foundation, store?: JwksStore): JwksSource {
  const fetcher = new JwksSource({ sink: jwks, ...(store === undefined ? {} : { store }) });
  const policies = sourceOf("AuthenticationPolicy");
  fetcher.want(new Set());
  jwks.markSynced();
  graph.tick();
  fetcher.want(wantedJwks(policies));
  policies.onChange(() => fetcher.want(wantedJwks(policies)));
  return fetcher;
}
