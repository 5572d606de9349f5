/** The sources of a mesh in a cluster, written to by a test, and the collections above them. */
import type { JwksState } from "../../../crds/authentication-policy/index.ts";
import type { KubernetesObject } from "../../../crds/core/object.ts";
import { errorsOf } from "../../../crds/core/violation.ts";
import { KINDS } from "../../../crds/kinds.ts";
import type { EncodedResource } from "../../../xds-server/delta/feed.ts";
import type { SingletonKey, Source } from "../../collections/collection.ts";
import { Graph } from "../../collections/graph.ts";
import { buildMesh, type Mesh } from "../../mesh/mesh.ts";
import { type SourceEntry, sourceKey } from "../../model/source-entry.ts";
import { SOURCE_KINDS } from "../../source-kinds.ts";
import { checkObject } from "../../sources/known-kinds.ts";

export class MeshSources {
  readonly graph: Graph;
  readonly mesh: Mesh;
  readonly faults: unknown[] = [];
  readonly #sources: ReadonlyMap<string, Source<string, SourceEntry>>;
  readonly #others: readonly { markSynced(): void }[];

  /** Ticks by itself, or with `manual` only when it is told to. */
  constructor(manual: "manual" | "by itself" = "manual") {
    this.graph = new Graph({
      ...(manual === "manual" ? { schedule: () => undefined } : {}),
      onError: (fault) => this.faults.push(fault),
    });
    this.#sources = new Map(SOURCE_KINDS.map((kind) => [kind, this.graph.source<string, SourceEntry>(kind)]));
    const jwks = this.graph.source<string, JwksState>("jwks");
    const trust = this.graph.source<SingletonKey, EncodedResource>("trust");
    this.#others = [jwks, trust];
    this.mesh = buildMesh(this.graph, { source: this.source, jwks, trust, dataPlane: { kind: "kubernetes" } });
  }

  readonly source = (kind: string): Source<string, SourceEntry> => {
    const source = this.#sources.get(kind);
    if (source === undefined) throw new Error(`no source of kind ${kind}`);
    return source;
  };

  /** Says that everything has been set that there is, but for the kinds that somebody else follows. */
  synced(kinds: "all" | "none of the kinds" = "all"): void {
    for (const source of this.#others) source.markSynced();
    if (kinds === "all") for (const source of this.#sources.values()) source.markSynced();
    this.graph.tick();
  }

  set(...objects: readonly KubernetesObject[]): void {
    for (const object of objects) {
      const { kind, metadata } = object;
      this.source(kind).set(sourceKey(kind, metadata.namespace, metadata.name), entryOf(object));
    }
  }

  delete(kind: string, namespace: string, name: string): void {
    this.source(kind).delete(sourceKey(kind, namespace, name));
  }
}

function entryOf(object: KubernetesObject): SourceEntry {
  const origin = { file: "the API server", line: 0 };
  const kind = KINDS.find((candidate) => candidate.kind === object.kind);
  const violations = kind === undefined ? [] : checkObject(kind, object);
  if (errorsOf(violations).length === 0) return { state: "valid", object, origin, warnings: violations };
  const { name, namespace } = object.metadata;
  const identity = { apiVersion: object.apiVersion, kind: object.kind, name, ...(namespace === undefined ? {} : { namespace }) };
  return { state: "invalid", identity, origin, violations, partial: object };
}
