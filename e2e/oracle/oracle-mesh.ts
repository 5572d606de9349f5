/**
 * The control plane's own mesh in this process, wired as controller/main.ts wires it, but fed with manifests instead of a
 * folder: a world becomes the state of the mesh in one tick, and is in force when the sidecar has acknowledged it.
 */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CertificateAuthority } from "../../ca/authority.ts";
import { LeafSecrets } from "../../ca/leaf-secrets.ts";
import { LeafVersions } from "../../ca/leaf-version.ts";
import { systemRandomness } from "../../ca/randomness.ts";
import { StateFolder } from "../../ca/state-folder.ts";
import { SINGLETON, type SingletonKey, type Source } from "../../controller/collections/collection.ts";
import { Graph } from "../../controller/collections/graph.ts";
import { decide, type PortDecision } from "../../controller/explain/decide.ts";
import { buildMesh, type Mesh } from "../../controller/mesh/mesh.ts";
import { currentSettings } from "../../controller/mesh/settings.ts";
import type { SourceEntry } from "../../controller/model/source-entry.ts";
import { identitySecret, trustSecret } from "../../controller/secrets.ts";
import { knownKinds } from "../../controller/sources/known-kinds.ts";
import { readDocument } from "../../controller/sources/files/read-document.ts";
import { feedXds } from "../../controller/xds-feed.ts";
import type { JwksState } from "../../crds/authentication-policy/index.ts";
import type { PolicyRequest } from "../../crds/core/request.ts";
import { KINDS } from "../../crds/kinds.ts";
import { DeltaServer } from "../../xds-server/delta/delta-server.ts";
import type { EncodedResource } from "../../xds-server/delta/feed.ts";
import { endWithTests } from "../support/endings.ts";
import { PATIENCE_MS } from "../support/eventually.ts";
import { ISSUERS, NAMESPACE, TRUST_DOMAIN } from "./cast.ts";
import type { TokenMint } from "./token-presentation.ts";
import { isMeantToBeBroken, keysUri, manifestsOf, type OracleWorld } from "./world.ts";

const POD = "orders-1";
export const SUBSCRIBER = `${NAMESPACE}/${POD}`;
export const XDS_TOKEN = "the-oracle's-sidecar";
/** The ports of the called workload; the outbound proxy listens too. */
export const PORTS = { http: 8080, admin: 9090, proxy: 15001 } as const;

const SOURCE_KINDS = ["Namespace", "Pod", "Service", "EndpointSlice", "Secret", "ConfigMap", ...KINDS.map(({ kind }) => kind)];
const KNOWN = knownKinds(KINDS);

export class OracleMesh {
  readonly mesh: Mesh;
  readonly server: DeltaServer;
  readonly authority: CertificateAuthority;
  readonly mint: TokenMint;
  readonly folder: string;
  xdsPort = 0;
  readonly #graph: Graph;
  readonly #sources: ReadonlyMap<string, Source<string, SourceEntry>>;
  readonly #jwks: Source<string, JwksState>;
  readonly #fixtures: ReadonlySet<string>;
  readonly #waiting = new Set<() => void>();
  /** Changes resources on their way to the sidecar, for tests of what configuration that went wrong does. */
  rewrite: (resource: EncodedResource) => EncodedResource = (resource) => resource;
  /** What Envoy said to configuration that it refused. */
  readonly nacks: string[] = [];
  #faults: unknown[] = [];

  /** `address` is the pod's own, `applicationPort` where its application listens on 127.0.0.1. */
  constructor(mint: TokenMint, address: string, applicationPort: number) {
    this.mint = mint;
    this.folder = mkdtempSync(join(tmpdir(), "seawall-oracle-"));
    const graph = new Graph({ onError: (fault) => this.#faults.push(fault) });
    this.#graph = graph;
    this.#sources = new Map(SOURCE_KINDS.map((kind) => [kind, graph.source<string, SourceEntry>(kind)]));
    this.#jwks = graph.source<string, JwksState>("jwks");
    const trust = graph.source<SingletonKey, EncodedResource>("trust");
    this.mesh = buildMesh(graph, { source: (kind) => this.#sourceOf(kind), jwks: this.#jwks, trust, dataPlane: { kind: "standalone" } });

    const state = StateFolder.open(join(this.folder, "state"), "write");
    this.authority = new CertificateAuthority({ store: state, trustDomain: TRUST_DOMAIN });
    trust.set(SINGLETON, trustSecret(this.authority.trust.pem));
    const leaves = new LeafSecrets({
      authority: this.authority,
      versions: LeafVersions.open(state, (size) => systemRandomness.bytes(size)),
      identityOf: () => ({ trustDomain: TRUST_DOMAIN, namespace: NAMESPACE, serviceAccount: "orders" }),
      encodeSecret: identitySecret,
      onFailure: (_subscriber, failure) => this.#faults.push(failure),
    });
    this.server = new DeltaServer({
      authenticator: {
        authenticate: (token) =>
          token === XDS_TOKEN
            ? Promise.resolve({ subscriber: SUBSCRIBER, expiresAt: Date.now() + 24 * 3_600_000 })
            : Promise.reject(new Error("not the oracle's token")),
      },
      privateResources: [leaves],
      observer: {
        onAcknowledged: () => {
          for (const check of this.#waiting) check();
        },
        onNack: (_subscriber, { names, message }) => this.nacks.push(`${names.join()}: ${message}`),
      },
    });
    endWithTests(async () => {
      leaves.close();
      await this.server.stop();
      await rm(this.folder, { recursive: true, force: true });
    });

    for (const issuer of ISSUERS) {
      this.#jwks.set(keysUri(issuer, "published"), { state: "good", keys: mint.jwks(issuer) });
      this.#jwks.set(keysUri(issuer, "unreachable"), { state: "failed", error: "connection refused" });
    }
    this.#fixtures = new Set(this.#put(fixtures(address, applicationPort)));
    for (const source of [...this.#sources.values(), this.#jwks, trust]) source.markSynced();
    graph.tick();
    feedXds(graph, this.mesh, ({ resources, ...update }) => {
      const rewritten = new Map([...resources].map(([id, resource]) => [id, resource && this.rewrite(resource)]));
      this.server.apply({ ...update, resources: rewritten });
    });
  }

  /** Opens the xDS port. */
  async listen(): Promise<void> {
    const { chainPem, key } = this.authority.issue({ trustDomain: TRUST_DOMAIN, namespace: "seawall-system", serviceAccount: "seawall" }, [
      "localhost",
    ]);
    const certificate = { chain: chainPem, privateKey: key.reveal() };
    const { port } = await this.server.listen({ host: "127.0.0.1", port: 0, security: { kind: "tls", certificate } });
    this.xdsPort = port;
  }

  /** Makes the mesh this world, in one tick. Policies that are meant to hold and do not are a mistake of the oracle's. */
  become(world: OracleWorld): void {
    const present = new Set([...this.#fixtures, ...this.#put(manifestsOf(world, this.mint))]);
    for (const source of this.#sources.values()) {
      for (const [key] of source.entries()) {
        if (!present.has(key)) source.delete(key);
      }
    }
    this.#graph.tick();
    if (this.#faults.length > 0) throw new AggregateError(this.#faults, "the mesh has contained faults");
  }

  /** Resolves when the sidecar has taken over everything that the mesh is now. Throws Envoy's words when it refuses any of it. */
  async acknowledged(): Promise<void> {
    const through = this.server.sequence;
    const isDone = (): boolean => this.server.streams().some(({ synced, ackedThrough }) => synced && ackedThrough >= through);
    const done = Promise.withResolvers<undefined>();
    const check = (): void => {
      if (this.nacks.length > 0) done.reject(new Error(`Envoy refuses the configuration: ${this.nacks.splice(0).join("; ")}`));
      else if (isDone()) done.resolve(undefined);
    };
    const timer = setTimeout(() => done.reject(new Error(`not acknowledged: ${JSON.stringify(this.server.streams())}`)), PATIENCE_MS);
    this.#waiting.add(check);
    check();
    await done.promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(check);
    });
  }

  /** What the plain semantics say to a request at one port. `now` is seconds since 1970. */
  async decide(port: number, request: PolicyRequest, now: number): Promise<PortDecision> {
    for (const [, { workload, ports }] of this.mesh.workloadPolicies.entries()) {
      const policies = ports.find((candidate) => candidate.port.number === port);
      if (policies === undefined) continue;
      const jwksOf = (uri: string): JwksState => this.#jwks.get(uri) ?? { state: "pending", error: "not fetched yet" };
      return decide(request, { workload, policies, ports, settings: currentSettings(this.mesh.settings), jwksOf, now });
    }
    throw new Error(`no workload has the port ${port}`);
  }

  #sourceOf(kind: string): Source<string, SourceEntry> {
    const source = this.#sources.get(kind);
    if (source === undefined) throw new Error(`no source of kind ${kind}`);
    return source;
  }

  /** Reads manifests as the file source does, and returns their keys. */
  #put(manifests: readonly object[]): string[] {
    const origin = { file: "oracle", line: 1 };
    return manifests.map((manifest) => {
      const [object] = readDocument(JSON.stringify(manifest), KNOWN).objects;
      if (object === undefined) throw new Error(`not a manifest: ${JSON.stringify(manifest)}`);
      const { key, identity, violations, content } = object;
      if ((content.state === "valid") === isMeantToBeBroken(manifest)) throw new Error(`${key}: ${JSON.stringify(violations)}`);
      this.#sourceOf(identity.kind).set(
        key,
        content.state === "valid"
          ? { state: "valid", object: content.object, origin, warnings: [] }
          : { state: "invalid", identity, origin, violations, partial: content.partial },
      );
      return key;
    });
  }
}

function fixtures(address: string, applicationPort: number): object[] {
  const namespace = (name: string): object => ({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { team: name } } });
  const service = (name: string, port: number, targetPort: string): object => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: NAMESPACE },
    spec: { selector: { app: name }, ports: [{ name: "http", port, targetPort }] },
  });
  return [
    namespace("shop"),
    namespace("bank"),
    service("orders", 80, "http"),
    service("other", 80, "http"),
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: POD,
        namespace: NAMESPACE,
        labels: { app: "orders" },
        annotations: { "seawall.dev/application-ports": `${PORTS.http}=${applicationPort},${PORTS.admin}=${applicationPort}` },
      },
      spec: {
        serviceAccountName: "orders",
        containers: [
          {
            name: "orders",
            ports: [
              { name: "http", containerPort: PORTS.http },
              { name: "admin", containerPort: PORTS.admin },
            ],
          },
        ],
      },
      status: { podIP: address },
    },
  ];
}
