/** The composition root: opens the sources, builds the mesh, serves it. Wiring only; what things mean is said elsewhere. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CertificateAuthority } from "../ca/authority.ts";
import { JoinTokenKey } from "../ca/join-token.ts";
import { LeafSecrets } from "../ca/leaf-secrets.ts";
import { LeafVersions } from "../ca/leaf-version.ts";
import { systemRandomness } from "../ca/randomness.ts";
import { ServingCertificate } from "../ca/serving-certificate.ts";
import { StateFolder } from "../ca/state-folder.ts";
import { TokenAuthenticator } from "../ca/token-authenticator.ts";
import type { JwksState } from "../crds/authentication-policy/index.ts";
import { KINDS } from "../crds/kinds.ts";
import { DeltaServer, type ListeningAddress } from "../xds-server/delta/delta-server.ts";
import type { EncodedResource } from "../xds-server/delta/feed.ts";
import { adminRoutes } from "./admin/routes.ts";
import { Metrics } from "./admin/metrics.ts";
import { startAdminServer } from "./admin/server.ts";
import { SINGLETON, type SingletonKey, type Source } from "./collections/collection.ts";
import { Graph } from "./collections/graph.ts";
import type { ControlPlaneOptions } from "./control-plane-options.ts";
import { ControlPlaneError } from "./control-plane-error.ts";
import { meteredObserver } from "./metered-observer.ts";
import { buildMesh, type Mesh } from "./mesh/mesh.ts";
import { currentSettings } from "./mesh/settings.ts";
import type { SourceEntry } from "./model/source-entry.ts";
import { identitySecret, trustSecret } from "./secrets.ts";
import { FileSource } from "./sources/files/file-source.ts";
import { jwksFileStore } from "./sources/jwks/file-store.ts";
import { JwksSource } from "./sources/jwks/jwks-source.ts";
import { wantedJwks } from "./sources/wanted-jwks.ts";
import { problemReport } from "./sources/problem-report.ts";
import { PolicyProgress } from "./status/policy-progress.ts";
import { SOURCE_KINDS } from "./source-kinds.ts";
import { tokenService } from "./token-service.ts";
import { feedXds } from "./xds-feed.ts";

/** The identity under which the control plane serves. */
const SELF = { namespace: "seawall-system", serviceAccount: "seawall" } as const;

export interface ControlPlane {
  readonly xds: ListeningAddress;
  readonly admin: ListeningAddress;
  readonly mesh: Mesh;
  /** Ends all streams and closes all ports. */
  stop(): Promise<void>;
}

/**
 * Starts a standalone control plane. Rejects with an error that has a stable `code` and says what to do: a
 * ControlPlaneError, StateFolderError, DeltaServerError or AdminServerError.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { log } = options;
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
  const mesh = buildMesh(graph, { source: sourceOf, jwks, trust });

  const state = StateFolder.open(options.stateFolder, "write");
  const opening = FileSource.open({ folder: options.configFolder, kinds: KINDS, source: (kind) => sources.get(kind) });
  if (opening.kind === "failed") throw new ControlPlaneError(opening.code, opening.message);
  const files = opening.source;
  const report = problemReport(log);
  report(files.problems);
  files.onProblems(report);
  const cleanUp: (() => void | Promise<void>)[] = [() => files.close()];
  const stop = async (): Promise<void> => {
    for (const close of cleanUp.reverse()) await close();
  };

  try {
    const fetcher = new JwksSource({
      sink: jwks,
      store: jwksFileStore(join(options.stateFolder, "jwks"), (failure) => log("warn", `a key set could not be kept: ${String(failure)}`)),
    });
    cleanUp.push(() => fetcher.close());
    fetcher.want(new Set());
    jwks.markSynced();
    graph.tick();
    fetcher.want(wantedJwks(sourceOf("AuthenticationPolicy")));
    sourceOf("AuthenticationPolicy").onChange(() => fetcher.want(wantedJwks(sourceOf("AuthenticationPolicy"))));

    const { trustDomain } = currentSettings(mesh.settings);
    const authority = new CertificateAuthority({
      folder: state,
      trustDomain,
      ...(options.leafLifetimeMs === undefined ? {} : { leafLifetime: options.leafLifetimeMs }),
      onRenewalFailure: (failure) => log("error", `the intermediate certificate could not be renewed: ${String(failure)}`),
    });
    const publishTrust = (): void => {
      trust.set(SINGLETON, trustSecret(authority.trust.pem));
      writeFileSync(join(options.stateFolder, "trust.pem"), authority.trust.pem);
    };
    publishTrust();
    cleanUp.push(authority.onChange(publishTrust));

    const leaves = new LeafSecrets({
      authority,
      versions: LeafVersions.open(state, (count) => systemRandomness.bytes(count)),
      identityOf: (subscriber) => {
        const workload = mesh.inventory.workloadOfPod.get(subscriber);
        return workload === undefined ? undefined : { trustDomain, namespace: workload.namespace, serviceAccount: workload.serviceAccount };
      },
      encodeSecret: identitySecret,
      onFailure: (subscriber, failure) => log("error", `no certificate could be issued for ${subscriber}: ${String(failure)}`),
    });
    mesh.inventory.workloadOfPod.onChange((changes) => {
      for (const pod of changes.keys()) leaves.identityChanged(pod);
    });
    cleanUp.push(() => leaves.close());
    const serving = new ServingCertificate({
      authority,
      ...SELF,
      dnsNames: ["localhost", "seawall", `seawall.${SELF.namespace}`, `seawall.${SELF.namespace}.svc`],
      onFailure: (failure) => log("error", `the serving certificate could not be renewed: ${String(failure)}`),
    });
    cleanUp.push(() => serving.close());
    const authenticator = new TokenAuthenticator({
      key: JoinTokenKey.open(state),
      findPod: (namespace, pod) => mesh.inventory.pods.get(`${namespace}/${pod}`),
    });

    const progress = new PolicyProgress(mesh);
    const server = new DeltaServer({
      authenticator,
      privateResources: [leaves],
      services: [tokenService(authenticator)],
      observer: meteredObserver(metrics, log),
      log: (line) => log("warn", line),
    });
    graph.tick();
    feedXds(graph, mesh, (update) => {
      const { sequence } = server.apply(update);
      progress.applied(sequence);
    });
    cleanUp.push(() => server.stop());
    const chainOf = (certificate: typeof serving.current): { chain: string; privateKey: string } => ({
      chain: certificate.chainPem,
      privateKey: certificate.key.reveal(),
    });
    const xds = await server.listen({
      ...options.xds,
      security: options.insecureXds ? { kind: "insecure" } : { kind: "tls", certificate: chainOf(serving.current) },
    });
    if (!options.insecureXds) cleanUp.push(serving.onReplaced((certificate) => server.replaceCertificate(chainOf(certificate))));

    const admin = await startAdminServer(
      options.admin,
      adminRoutes({ graph, mesh, server, leaves, authority, files, metrics, progress, jwks, sources }),
    );
    cleanUp.push(
      () =>
        new Promise<void>((resolve) => {
          admin.closeAllConnections();
          admin.close(() => resolve());
        }),
    );
    const address = admin.address();
    const adminPort = typeof address === "object" && address !== null ? address.port : options.admin.port;
    return { xds, admin: { host: options.admin.host, port: adminPort }, mesh, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
