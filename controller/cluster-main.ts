/**
 * The composition root of a control plane in a Kubernetes cluster: objects come from the API server, sidecars prove
 * themselves with projected tokens, keys are in a Secret that all replicas share. Wiring only.
 */
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { ServingCertificate } from "../ca/serving-certificate.ts";
import type { MeshConfigSpec } from "../crds/mesh-config/index.ts";
import { KINDS } from "../crds/kinds.ts";
import { DeltaServer, type ListeningAddress, type ServerCertificate } from "../xds-server/delta/delta-server.ts";
import { openAdmin } from "./admin/open-admin.ts";
import { adminRoutes } from "./admin/routes.ts";
import { injectRequest } from "./admission/inject-request.ts";
import { knownMesh } from "./admission/known.ts";
import { startAdmissionServer } from "./admission/server.ts";
import { validateRequest } from "./admission/validate-request.ts";
import { WebhookTrust } from "./admission/webhook-trust.ts";
import { bothObservers } from "./both-observers.ts";
import { openClusterAuthority } from "./cluster-state/cluster-authority.ts";
import { servingNames } from "./cluster-state/serving-names.ts";
import { TrustDistribution } from "./cluster-state/trust-distribution.ts";
import type { Graph } from "./collections/graph.ts";
import type { Log } from "./control-plane-options.ts";
import { followJwks, layFoundation } from "./foundation.ts";
import { applyMeshConfig } from "./installation/mesh-config.ts";
import type { InjectionSettings } from "./injector/injection-settings.ts";
import type { KubernetesApi } from "./kubernetes/api.ts";
import { LeaderElector } from "./lease/leader-elector.ts";
import { formatLeader } from "./lease/leader-identity.ts";
import type { Mesh } from "./mesh/mesh.ts";
import { currentSettings } from "./mesh/settings.ts";
import { sourceKey } from "./model/source-entry.ts";
import { meteredKubernetes, meteredObserver } from "./metered-observer.ts";
import { readyReplicas, replicaAuthenticator } from "./replicas.ts";
import { KubernetesSource } from "./sources/kubernetes/kubernetes-source.ts";
import { MeshStatus } from "./status/mesh-status.ts";
import { PolicyProgress } from "./status/policy-progress.ts";
import { ProjectedTokenAuthenticator, type TokenVerification } from "./token-review/projected-token-authenticator.ts";
import { workloadCertificates } from "./workload-certificates.ts";
import { feedXds } from "./xds-feed.ts";

/** The name of the control plane's service account and of its Service. */
const SELF = "seawall";

export interface ClusterControlPlaneOptions {
  readonly api: KubernetesApi;
  readonly place: {
    /** Where Seawall is installed. */
    readonly namespace: string;
    readonly clusterDomain: string;
    /** This replica's pod. */
    readonly pod: string;
    /** Where the other replicas reach this one. */
    readonly address: string;
  };
  readonly injection: InjectionSettings;
  /** Applied at the start; without it the cluster's own MeshConfig counts, or the defaults. */
  readonly meshConfig?: MeshConfigSpec;
  /** Where sidecars connect. Port 0 lets the system choose, here and below. */
  readonly xds: { readonly host: string; readonly port: number };
  /** Where the API server asks about pods and policies. */
  readonly webhook: { readonly host: string; readonly port: number };
  /** Health, metrics and debugging. */
  readonly admin: { readonly host: string; readonly port: number };
  /** Holds this replica's own projected token, with the audience of the sidecars'. */
  readonly tokenFile: string;
  /** How sidecars' tokens are verified beyond their signature. */
  readonly tokenVerification: TokenVerification;
  /** Milliseconds that a workload certificate is valid for; the CA's default when absent. */
  readonly leafLifetimeMs?: number;
  /** Milliseconds for which a replica that ends goes on judging pods and policies: until nobody is led to it. None when absent. */
  readonly farewellMs?: number;
  readonly log: Log;
  /** Ends a start that waits for the API server. */
  readonly signal: AbortSignal;
}

export interface ClusterControlPlane {
  readonly xds: ListeningAddress;
  readonly admin: ListeningAddress;
  readonly webhookPort: number;
  readonly mesh: Mesh;
  /** Lets go of the Lease, ends all streams and closes all ports. */
  stop(): Promise<void>;
}

/**
 * Starts a replica, which waits for the API server as long as that takes. Rejects with an error that has a stable `code`
 * and says what to do, or with the reason of `signal`.
 */
export async function startClusterControlPlane(options: ClusterControlPlaneOptions): Promise<ClusterControlPlane> {
  const { api, place, log, signal } = options;
  const foundation = layFoundation({ kind: "kubernetes" }, log);
  const { graph, metrics, mesh, sources, sourceOf, jwks } = foundation;
  const cleanUp: (() => void | Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of cleanUp.reverse()) await close();
  };

  try {
    if (options.meshConfig !== undefined) await applyMeshConfig({ api, spec: options.meshConfig, log, signal });
    const keySets = followJwks(foundation);
    cleanUp.push(() => keySets.close());
    const leadership = new LeaderElector({
      api,
      namespace: place.namespace,
      identity: formatLeader({ pod: place.pod, host: place.address, port: options.xds.port }),
      log: (message) => log("warn", message),
    });
    leadership.onChange(() => log("info", leadership.leading ? "this replica leads from now on" : "this replica leads no longer"));
    const authenticator = new ProjectedTokenAuthenticator({
      ...{ api, log, pods: mesh.inventory.pods, verification: options.tokenVerification },
      hasServiceAccount: (namespace, name) => foundation.sourceOf("ServiceAccount").has(sourceKey("ServiceAccount", namespace, name)),
    });
    cleanUp.push(() => authenticator.close());
    let trustPem: string | undefined;
    const own = { namespace: place.namespace, serviceAccount: SELF };
    const status = new MeshStatus({
      ...{ graph, mesh, api, log, source: sourceOf, election: leadership },
      authenticator: replicaAuthenticator(authenticator, mesh.inventory.pods, own),
      replicas: readyReplicas(graph, mesh.inventory.pods, own),
      reporting: {
        trust: () => trustPem,
        serverName: `${SELF}.${place.namespace}.svc`,
        token: () => readFile(options.tokenFile, "utf8"),
      },
      onWrite: (outcome) => metrics.statusWrites.inc({ outcome }),
    });
    cleanUp.push(() => status.close());

    const objects = KubernetesSource.open({
      api,
      kinds: KINDS,
      source: (kind) => sources.get(kind),
      log,
      observer: meteredKubernetes(metrics),
    });
    cleanUp.push(() => objects.close());
    await firstState(graph, signal);

    const { trustDomain } = currentSettings(mesh.settings);
    const cluster = await openClusterAuthority({
      ...{ api, namespace: place.namespace, trustDomain, leadership, log, signal },
      onSecretState: (state) => metrics.authoritySecretLost.set(state === "in-use" ? 0 : 1),
      ...(options.leafLifetimeMs === undefined ? {} : { leafLifetime: options.leafLifetimeMs }),
    });
    cleanUp.push(() => cluster.close());
    const { authority } = cluster;
    const followTrust = (): void => void (trustPem = authority.trust.pem);
    followTrust();
    cleanUp.push(authority.onChange(followTrust));
    const certificates = workloadCertificates(foundation, authority, cluster.versions, log);
    cleanUp.push(() => certificates.close());
    const { leaves } = certificates;
    const serving = new ServingCertificate({
      authority,
      namespace: place.namespace,
      serviceAccount: SELF,
      dnsNames: servingNames(SELF, place.namespace, place.clusterDomain),
      onFailure: (failure) => log("error", `the serving certificate could not be renewed: ${String(failure)}`),
    });
    cleanUp.push(() => serving.close());

    const progress = new PolicyProgress(mesh);
    const server = new DeltaServer({
      authenticator,
      privateResources: [leaves],
      services: [status.service],
      observer: bothObservers(meteredObserver(metrics, log), status.observer),
      log: (line) => log("warn", line),
    });
    graph.tick();
    feedXds(graph, mesh, (update) => {
      const { sequence } = server.apply(update);
      progress.applied(sequence);
    });
    status.start(server);
    cleanUp.push(() => server.stop());
    const xds = await server.listen({ ...options.xds, security: { kind: "tls", certificate: chainOf(serving.current) } });
    cleanUp.push(serving.onReplaced((certificate) => server.replaceCertificate(chainOf(certificate))));

    const known = knownMesh(mesh);
    const admission = await startAdmissionServer({
      ...options.webhook,
      certificate: chainOf(serving.current),
      webhooks: {
        "/validate": (request) => validateRequest(request, KINDS, known),
        "/inject": (request) => injectRequest(request, options.injection),
      },
      log: (line) => log("warn", line),
    });
    cleanUp.push(() => admission.close(setTimeout(options.farewellMs ?? 0)));
    cleanUp.push(serving.onReplaced((certificate) => admission.replaceCertificate(chainOf(certificate))));

    const webhookTrust = new WebhookTrust({ api, authority, leadership, log });
    cleanUp.push(() => webhookTrust.close());
    // Who is ready can be asked: policies are applied from then on.
    await webhookTrust.looked;
    const admin = await openAdmin(options.admin, adminRoutes({ graph, mesh, server, leaves, authority, metrics, progress, jwks, sources }));
    cleanUp.push(() => admin.close());

    const trust = new TrustDistribution({
      ...{ api, namespace: place.namespace, authority, leadership, log },
      namespaceLabels: mesh.inventory.namespaceLabels,
      onForeign: (namespaces) => metrics.foreignTrust.set(namespaces),
    });
    cleanUp.push(() => trust.close());
    cleanUp.push(() => leadership.close());
    leadership.start();

    return { xds, admin: admin.address, webhookPort: admission.port, mesh, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Resolves when every object has been read once and the whole of it computed. Rejects with the reason of `signal`. */
function firstState(graph: Graph, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      if (!graph.synced && !signal.aborted) return;
      unsubscribe();
      signal.removeEventListener("abort", settle);
      if (graph.synced) resolve();
      else reject(signal.reason as Error);
    };
    const unsubscribe = graph.onTick(settle);
    signal.addEventListener("abort", settle);
    settle();
  });
}

function chainOf({ chainPem, key }: ServingCertificate["current"]): ServerCertificate {
  return { chain: chainPem, privateKey: key.reveal() };
}
