import { CommandFailure } from "../command-failure.ts";
import { AdminSocket } from "../sidecar/admin-socket.ts";
import type { Cluster } from "./cluster.ts";
import { hasSidecar, isRunning, type KubePod, SEAWALL } from "./objects.ts";

/** Envoy's own dump, from within the pod. Rejects with a CommandFailure that says why there is none. */
export async function readSidecarDump(cluster: Cluster, namespace: string, pod: string): Promise<unknown> {
  const found = (await cluster.find(`/api/v1/namespaces/${namespace}/pods/${pod}`)) as KubePod | undefined;
  const name = `${namespace}/${pod}`;
  if (found === undefined) throw CommandFailure.usage(`there is no pod ${name} in the cluster.`);
  if (!hasSidecar(found)) {
    throw CommandFailure.usage(
      `${name} has no sidecar: it was made before its namespace was labelled ${SEAWALL.injectionLabel}=enabled, opted out, or uses the host's network.`,
    );
  }
  if (!isRunning(found)) throw CommandFailure.failed(`${name} is not running (${found.status?.phase ?? "no phase"}).`);
  return JSON.parse(await readSidecarAdmin(cluster, namespace, pod, "/config_dump?include_eds")) as unknown;
}

/** One path of Envoy's admin interface, from within the pod. */
export async function readSidecarAdmin(cluster: Cluster, namespace: string, pod: string, path: string): Promise<string> {
  const port = await cluster.openPort(namespace, pod, SEAWALL.sidecarAdminPort);
  try {
    return await new AdminSocket({ host: port.host, port: port.port }).get(path, 30_000);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw CommandFailure.failed(`the sidecar of ${namespace}/${pod} does not answer on its admin port (${reason}).`, error);
  } finally {
    await port.close();
  }
}
