/** Everything that somebody who has to help would ask for. A piece that cannot be had does not keep the others away. */
import { KINDS } from "../../crds/kinds.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { hasSidecar, isRunning, type KubeObject, type KubePod, SEAWALL } from "../cluster/objects.ts";
import { readSidecarAdmin } from "../cluster/sidecar-dump.ts";
import type { Replica } from "../control-planes.ts";
import { lookAtEverything } from "../check/check.ts";
import type { Installation } from "../check/finding.ts";
import { redactObject, redactText } from "./redact.ts";
import type { ArchivedFile } from "./tar.ts";

export interface Collection {
  readonly files: readonly ArchivedFile[];
  /** What could not be had, and why. */
  readonly missing: readonly string[];
}

export interface CollectOptions {
  /** Only pods of this namespace. */
  readonly namespace?: string;
  /** At most so many sidecars are asked. */
  readonly sidecars: number;
  /** Lines of each log. */
  readonly lines: number;
  readonly progress: (what: string) => void;
}

type Produce = () => Promise<unknown>;

export async function collect(installation: Installation, options: CollectOptions): Promise<Collection> {
  const { cluster, replicas, version } = installation;
  const files: ArchivedFile[] = [];
  const missing: string[] = [];
  const add = async (path: string, produce: Produce): Promise<void> => {
    try {
      const content = await produce();
      const text = typeof content === "string" ? content : `${JSON.stringify(redactObject(content), null, 2)}\n`;
      files.push({ path, content: redactText(text) });
    } catch (error) {
      missing.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  options.progress("versions, and what seawall check finds");
  await add("version.json", async () => ({ seawall: version, cluster: await cluster.api.get({ path: "/version" }) }));
  await add("check.json", () => lookAtEverything(installation));
  options.progress("policies and routes, with their statuses");
  for (const { plural, apiVersion } of KINDS) {
    const path = `/apis/${apiVersion}/${plural}`;
    await add(`policies/${plural}.json`, async () => (await cluster.listIfInstalled(path)) ?? "the kind is not installed\n");
  }
  options.progress("what is installed");
  await installed(cluster, add);
  for (const replica of replicas) {
    options.progress(`the control plane's ${replica.name}`);
    await controlPlane(replica, add);
  }
  for (const { metadata } of await orNothing(cluster.controlPlanePods(), missing)) {
    await logs(cluster, metadata, "control-plane", `control-plane/${metadata.name}`, options.lines, add);
  }
  options.progress("namespaces and pods of the mesh");
  const pods = await orNothing(podsOfMesh(cluster, options.namespace, add), missing);
  const sidecars = pods.filter((pod) => hasSidecar(pod) && isRunning(pod));
  for (const { metadata } of sidecars.slice(0, options.sidecars)) {
    const name = `${metadata.namespace ?? "default"}/${metadata.name}`;
    options.progress(`the sidecar of ${name}`);
    await sidecar(cluster, metadata, `sidecars/${name}`, options.lines, add);
  }
  if (sidecars.length > options.sidecars) {
    missing.push(`sidecars: ${options.sidecars} of ${sidecars.length} were asked; --sidecars and --namespace choose others`);
  }
  if (missing.length > 0) files.push({ path: "missing.txt", content: redactText(`${missing.join("\n")}\n`) });
  return { files, missing };
}

type Add = (path: string, produce: Produce) => Promise<void>;

async function installed(cluster: Cluster, add: Add): Promise<void> {
  const core = `/api/v1/namespaces/${SEAWALL.namespace}`;
  await add("installation/deployments.json", () => cluster.list(`/apis/apps/v1/namespaces/${SEAWALL.namespace}/deployments`));
  for (const plural of ["pods", "services", "events"]) await add(`installation/${plural}.json`, () => cluster.list(`${core}/${plural}`));
  for (const name of [SEAWALL.trustConfigMap, SEAWALL.configMap]) {
    await add(`installation/configmap-${name}.json`, () => cluster.api.get({ path: `${core}/configmaps/${name}` }));
  }
  const lease = `/apis/coordination.k8s.io/v1/namespaces/${SEAWALL.namespace}/leases/${SEAWALL.lease}`;
  await add("installation/lease.json", () => cluster.api.get({ path: lease }));
  for (const plural of ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]) {
    const path = `/apis/admissionregistration.k8s.io/v1/${plural}/${SEAWALL.name}`;
    await add(`installation/${plural}.json`, () => cluster.api.get({ path }));
  }
}

async function controlPlane({ name, admin }: Replica, add: Add): Promise<void> {
  await add(`control-plane/${name}/metrics.txt`, () => admin.text("/metrics"));
  for (const what of ["sidecars", "policies", "problems", "workloads", "services"]) {
    await add(`control-plane/${name}/${what}.json`, async () => JSON.parse(await admin.text(`/debug/${what}`)) as unknown);
  }
}

async function podsOfMesh(cluster: Cluster, namespace: string | undefined, add: Add): Promise<readonly KubePod[]> {
  const labelled = await cluster.list<KubeObject>("/api/v1/namespaces", { labelSelector: `${SEAWALL.injectionLabel}=enabled` });
  await add("mesh/namespaces.json", () => Promise.resolve(labelled));
  const pods: KubePod[] = [];
  for (const { metadata } of labelled.filter((one) => namespace === undefined || one.metadata.name === namespace)) {
    const found = await cluster.list<KubePod>(`/api/v1/namespaces/${metadata.name}/pods`);
    pods.push(...found);
    await add(`mesh/${metadata.name}/pods.json`, () => Promise.resolve(found));
    await add(`mesh/${metadata.name}/services.json`, () => cluster.list(`/api/v1/namespaces/${metadata.name}/services`));
    await add(`mesh/${metadata.name}/events.json`, () => cluster.list(`/api/v1/namespaces/${metadata.name}/events`));
  }
  return pods;
}

async function sidecar(cluster: Cluster, metadata: KubePod["metadata"], path: string, lines: number, add: Add): Promise<void> {
  const { namespace = "default", name } = metadata;
  const dump: Produce = async () => JSON.parse(await readSidecarAdmin(cluster, namespace, name, "/config_dump?include_eds")) as unknown;
  await add(`${path}/config.json`, dump);
  await add(`${path}/stats.txt`, () => readSidecarAdmin(cluster, namespace, name, "/stats?usedonly"));
  await add(`${path}/clusters.txt`, () => readSidecarAdmin(cluster, namespace, name, "/clusters"));
  await logs(cluster, metadata, SEAWALL.sidecarContainer, path, lines, add);
}

async function logs(
  cluster: Cluster,
  metadata: KubePod["metadata"],
  container: string,
  path: string,
  lines: number,
  add: Add,
): Promise<void> {
  const { namespace = "default", name } = metadata;
  await add(`${path}/log.txt`, () =>
    cluster.api.get({ path: `/api/v1/namespaces/${namespace}/pods/${name}/log`, query: { container, tailLines: String(lines) } }),
  );
}

async function orNothing<T>(pods: Promise<readonly T[]>, missing: string[]): Promise<readonly T[]> {
  try {
    return await pods;
  } catch (error) {
    missing.push(`pods: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}
