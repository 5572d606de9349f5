/** A pod's port through the API server and a real kubelet. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Cluster } from "../../e2e/cluster/cluster.ts";
import { openCluster } from "../../e2e/cluster/open-cluster.ts";
import { buildNamed } from "../../tools/images/build-images.ts";

const NAMESPACE = "seawall-port-forward";
const PORT = 8080;
/** Listens on the pod's loopback only. Gives back as many bytes as it was told that it will get, once it has them. */
const ECHO = `
require("net").createServer((socket) => {
  let bytes = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf("\\n");
    const size = Number(bytes.subarray(0, end));
    if (end !== -1 && bytes.length === end + 1 + size) socket.end(bytes.subarray(end + 1));
  });
}).listen(${PORT}, "127.0.0.1");`;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster();
  await cluster.importImage(await buildNamed("app"));
  const container = { name: "echo", image: "localhost/app:1", imagePullPolicy: "IfNotPresent", command: ["node", "-e", ECHO] };
  await cluster.kubectl("create", "namespace", NAMESPACE);
  // A controller makes it in a moment; a pod that comes sooner is refused.
  await cluster.kubectl("create", "serviceaccount", "default", "-n", NAMESPACE).catch(() => undefined);
  await cluster.apply(
    stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "echo", namespace: NAMESPACE },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ ...container, startupProbe: { exec: { command: ["true"] } } }] },
    }),
  );
  await cluster.kubectl("wait", "-n", NAMESPACE, "pod/echo", "--for=condition=Ready", "--timeout=120s");
});
afterAll(async () => {
  // Whatever comes of it: a cluster of our own may have ended already.
  await cluster.run(["kubectl", "delete", "namespace", NAMESPACE, "--wait=false"]);
  await cluster.stop();
});

async function exchange(pod: string, port: number, ...sizes: readonly number[]): Promise<unknown> {
  const script = join(import.meta.dirname, "testing/forwarded-exchange.ts");
  const { stdout, stderr } = await cluster.run([process.execPath, script, NAMESPACE, pod, String(port), ...sizes.map(String)]);
  expect(stderr.replaceAll(/\(.*Warning.*\n|\(Use .*\n/g, "")).toBe("");
  return JSON.parse(stdout);
}

describe("a forwarded port", () => {
  it("carries several connections at once, small and large, both ways", async () => {
    expect(await exchange("echo", PORT, 1, 3_000_000, 70_000)).toEqual([1, 3_000_000, 70_000]);
  });

  it("where nothing listens ends each connection, and nothing else", async () => {
    for (const outcome of (await exchange("echo", 9, 1, 1)) as unknown[]) expect(outcome).toMatch(/^(ended|ECONNRESET)$/);
  });

  it("of a pod that is not there is refused with the server's reason", async () => {
    expect(await exchange("nobody", PORT, 1)).toEqual(["404 NotFound"]);
  });
});
