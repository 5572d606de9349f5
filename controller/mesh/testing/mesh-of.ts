/** A mesh whose sources a test writes to, as the file source would. */
import { KINDS } from "../../../crds/kinds.ts";
import type { KubernetesObject } from "../../../crds/core/object.ts";
import type { JwksState } from "../../../crds/authentication-policy/index.ts";
import type { EncodedResource } from "../../../xds-server/delta/feed.ts";
import { SINGLETON, type SingletonKey, type Source } from "../../collections/collection.ts";
import { Graph } from "../../collections/graph.ts";
import type { TickReport } from "../../collections/tick-report.ts";
import { SOURCE_KINDS } from "../../source-kinds.ts";
import { type SourceEntry, sourceKey } from "../../model/source-entry.ts";
import { checkObject } from "../../sources/known-kinds.ts";
import { errorsOf } from "../../../crds/core/violation.ts";
import { buildMesh, type DataPlane, type Mesh } from "../mesh.ts";

export class TestMesh {
  readonly graph: Graph;
  readonly mesh: Mesh;
  readonly faults: unknown[] = [];
  readonly #sources: ReadonlyMap<string, Source<string, SourceEntry>>;

  constructor(objects: Iterable<KubernetesObject> = [], dataPlane: DataPlane = { kind: "standalone" }, bundle?: EncodedResource) {
    this.graph = new Graph({ schedule: () => undefined, onError: (fault) => this.faults.push(fault) });
    this.#sources = new Map(SOURCE_KINDS.map((kind) => [kind, this.graph.source<string, SourceEntry>(kind)]));
    const jwks = this.graph.source<string, JwksState>("jwks");
    const trust = this.graph.source<SingletonKey, EncodedResource>("trust");
    this.mesh = buildMesh(this.graph, { source: (kind) => this.#source(kind), jwks, trust, dataPlane });
    if (bundle !== undefined) trust.set(SINGLETON, bundle);
    for (const object of objects) this.set(object);
    for (const source of [...this.#sources.values(), jwks, trust]) source.markSynced();
    this.tick();
  }

  set(object: KubernetesObject): void {
    const { kind, metadata } = object;
    this.#source(kind).set(sourceKey(kind, metadata.namespace, metadata.name), entryOf(object));
  }

  delete({ kind, metadata }: Pick<KubernetesObject, "kind" | "metadata">): void {
    this.#source(kind).delete(sourceKey(kind, metadata.namespace, metadata.name));
  }

  tick(): TickReport {
    return this.graph.tick();
  }

  /** Everything that sidecars could see, comparable with another mesh's. */
  content(): unknown {
    const sorted = <V>(entries: Iterable<[string, V]>): [string, V][] => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      resources: sorted(this.mesh.resources.entries()).map(([id, { name, version }]) => [id, name, version]),
      layers: sorted(this.mesh.layers.entries()).map(([key, { resources }]) => [key, [...resources].sort()]),
      subscribers: sorted(this.mesh.subscribers.entries()),
    };
  }

  #source(kind: string): Source<string, SourceEntry> {
    const source = this.#sources.get(kind);
    if (source === undefined) throw new Error(`no source of kind ${kind}`);
    return source;
  }
}

function entryOf(object: KubernetesObject): SourceEntry {
  const origin = { file: "test.yaml", line: 1 };
  const kind = KINDS.find((candidate) => candidate.kind === object.kind);
  const violations = kind === undefined ? [] : checkObject(kind, object);
  if (errorsOf(violations).length === 0) return { state: "valid", object, origin, warnings: violations };
  const { name, namespace } = object.metadata;
  return {
    state: "invalid",
    identity: { apiVersion: object.apiVersion, kind: object.kind, name, ...(namespace === undefined ? {} : { namespace }) },
    origin,
    violations,
    partial: object,
  };
}
