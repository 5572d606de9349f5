/** The composition root of a standalone control plane: a folder of YAML, join tokens, keys in a folder. Wiring only. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CertificateAuthority } from "../ca/authority.ts";
import { JoinTokenKey } from "../ca/join-token.ts";
import { LeafVersions } from "../ca/leaf-version.ts";
import { systemRandomness } from "../ca/randomness.ts";
import { ServingCertificate } from "../ca/serving-certificate.ts";
import { StateFolder } from "../ca/state-folder.ts";
import { TokenAuthenticator } from "../ca/token-authenticator.ts";
import { KINDS } from "../crds/kinds.ts";
import { DeltaServer, type ListeningAddress, type ServerCertificate } from "../xds-server/delta/delta-server.ts";
import { openAdmin } from "./admin/open-admin.ts";
import { adminRoutes } from "./admin/routes.ts";
import type { ControlPlaneOptions } from "./control-plane-options.ts";
import { ControlPlaneError } from "./control-plane-error.ts";
import { followJwks, layFoundation } from "./foundation.ts";
import { meteredObserver } from "./metered-observer.ts";
import type { Mesh } from "./mesh/mesh.ts";
import { currentSettings } from "./mesh/settings.ts";
import { FileSource } from "./sources/files/file-source.ts";
import { jwksFileStore } from "./sources/jwks/file-store.ts";
import { problemReport } from "./sources/problem-report.ts";
import { PolicyProgress } from "./status/policy-progress.ts";
import { tokenService } from "./token-service.ts";
import { workloadCertificates } from "./workload-certificates.ts";
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
 * ControlPlaneError, StateError, DeltaServerError or AdminServerError.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { log } = options;
  const foundation = layFoundation({ kind: "standalone" }, log);
  const { graph, metrics, mesh, sources, jwks } = foundation;

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
    const keySets = followJwks(
      foundation,
      jwksFileStore(join(options.stateFolder, "jwks"), (failure) => log("warn", `a key set could not be kept: ${String(failure)}`)),
    );
    cleanUp.push(() => keySets.close());

    const { trustDomain } = currentSettings(mesh.settings);
    const authority = new CertificateAuthority({
      store: state,
      trustDomain,
      ...(options.leafLifetimeMs === undefined ? {} : { leafLifetime: options.leafLifetimeMs }),
      onRenewalFailure: (failure) => log("error", `the intermediate certificate could not be renewed: ${String(failure)}`),
    });
    const versions = LeafVersions.open(state, (count) => systemRandomness.bytes(count));
    const certificates = workloadCertificates(foundation, authority, versions, log);
    cleanUp.push(() => certificates.close());
    const { leaves } = certificates;
    const writeTrust = (): void => writeFileSync(join(options.stateFolder, "trust.pem"), authority.trust.pem);
    writeTrust();
    cleanUp.push(authority.onChange(writeTrust));

    const serving = new ServingCertificate({
      authority,
      ...SELF,
      dnsNames: ["localhost", "seawall", `seawall.${SELF.namespace}`, `seawall.${SELF.namespace}.svc`],
      onFailure: (failure) => log("error", `the serving certificate could not be renewed: ${String(failure)}`),
    });
    cleanUp.push(() => serving.close());
    const byTokenClock = options.tokenClock === undefined ? {} : { clock: options.tokenClock };
    const authenticator = new TokenAuthenticator({
      ...byTokenClock,
      key: JoinTokenKey.open(state),
      findPod: (namespace, pod) => mesh.inventory.pods.get(`${namespace}/${pod}`),
    });

    const progress = new PolicyProgress(mesh);
    const server = new DeltaServer({
      ...byTokenClock,
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
    const xds = await server.listen({
      ...options.xds,
      security: options.insecureXds ? { kind: "insecure" } : { kind: "tls", certificate: chainOf(serving.current) },
    });
    if (!options.insecureXds) cleanUp.push(serving.onReplaced((certificate) => server.replaceCertificate(chainOf(certificate))));

    const admin = await openAdmin(
      options.admin,
      adminRoutes({ graph, mesh, server, leaves, authority, files, metrics, progress, jwks, sources }),
    );
    cleanUp.push(() => admin.close());
    return { xds, admin: admin.address, mesh, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function chainOf({ chainPem, key }: ServingCertificate["current"]): ServerCertificate {
  return { chain: chainPem, privateKey: key.reveal() };
}
