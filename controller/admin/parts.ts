import type { CertificateAuthority } from "../../ca/authority.ts";
import type { LeafSecrets } from "../../ca/leaf-secrets.ts";
import type { JwksState } from "../../crds/authentication-policy/index.ts";
import type { DeltaServer } from "../../xds-server/delta/delta-server.ts";
import type { EncodedResource } from "../../xds-server/delta/feed.ts";
import type { Collection } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { SourceEntry } from "../model/source-entry.ts";
import type { FileSource } from "../sources/files/file-source.ts";
import type { PolicyProgress } from "../status/policy-progress.ts";
import type { Metrics } from "./metrics.ts";

/** What the admin port can be asked about. */
export interface AdminParts {
  readonly graph: Graph;
  readonly mesh: Mesh;
  readonly server: DeltaServer;
  readonly leaves: LeafSecrets<EncodedResource>;
  readonly authority: CertificateAuthority;
  /** Where objects come from files: what is wrong with those. */
  readonly files?: Pick<FileSource, "problems">;
  readonly metrics: Metrics;
  readonly progress: PolicyProgress;
  readonly jwks: Collection<string, JwksState>;
  readonly sources: ReadonlyMap<string, Collection<string, SourceEntry>>;
}
