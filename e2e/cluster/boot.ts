/**
 * A cluster for people: `node e2e/cluster/boot.ts [--name NAME] [--image ARCHIVE]...` boots one, says how to use it, and
 * removes it at Ctrl-C.
 */
import { parseArgs } from "node:util";
import { fetchClusterTools } from "../../tools/cluster/fetch-cluster-tools.ts";
import { bootCluster } from "./node.ts";

const { values } = parseArgs({
  options: { name: { type: "string", default: "dev" }, image: { type: "string", multiple: true, default: [] } },
});

try {
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
  await fetchClusterTools(["node"]);
  await using cluster = await bootCluster({ name: values.name, progress: (line) => console.error(line) });
  for (const archive of values.image) await cluster.importImage(archive);
  console.log(`
Enter it in another terminal:
  export KUBECONFIG=${cluster.kubeconfig}
  ${cluster.prefix.join(" ")} bash
  kubectl get pods -A

Ctrl-C ends it and removes everything.`);
  // The programs are children that keep nothing awake by themselves.
  const awake = setInterval(() => undefined, 60_000);
  await stopped;
  clearInterval(awake);
  console.error("removing the cluster ...");
} catch (error) {
  console.error(`seawall cluster: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
