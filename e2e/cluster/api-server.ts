/**
 * A real API server without a node: etcd and kube-apiserver on loopback, in a folder of their own, up in a few seconds.
 * No controller runs: a namespace that is deleted stays Terminating, a Service gets no EndpointSlice, and a pod is only an
 * object (its service account need not exist).
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownAddress } from "../support/addresses.ts";
import { endWithTests } from "../support/endings.ts";
import { apiServerCommand, etcdCommand, etcdUrl } from "./api-server-command.ts";
import { ADMIN, kubeconfig, knownUser, writeApiServerFiles } from "./api-server-files.ts";
import { Program } from "./process.ts";

export interface ApiServerOptions {
  /** Appended to kube-apiserver's arguments, so that the last word is theirs. `--watch-cache=false` sends watches to etcd. */
  readonly extraArguments?: readonly string[];
}

export interface ApiServer extends AsyncDisposable {
  readonly url: string;
  readonly caPem: string;
  /** A file that kubectl and clients read, for the user `admin` of the group system:masters. */
  readonly kubeconfig: string;
  readonly tokens: { readonly admin: string };
  /** kube-apiserver's log file. */
  readonly logFile: string;
  /** Ends kube-apiserver with SIGKILL, or `signal`; etcd keeps running. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts kube-apiserver where it was before; resolves when it is ready. */
  start(): Promise<void>;
  /** {@link kill} and {@link start}: same port, same objects, but every watch is cut and its cache begins anew. */
  restart(): Promise<void>;
  /** Makes etcd forget all revisions before the present one, and returns that. After {@link restart} a watch from before gets 410. */
  compact(): Promise<number>;
  /** Ends everything and removes its folder. Harmless the second time. */
  stop(): Promise<void>;
}

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const folder = await mkdtemp(join(tmpdir(), "seawall-api-server-"));
  // Both come back where they were, and nobody takes a port of theirs meanwhile.
  const address = ownAddress();
  const etcdPlace = { address, client: 2379, peer: 2380 };
  const port = 6443;
  const url = `https://${address}:${port}`;
  const admin = knownUser(ADMIN.name, ADMIN.group);
  const files = await writeApiServerFiles(folder, [admin]);
  const etcd = new Program({ name: "etcd", command: etcdCommand(folder, etcdPlace), logFolder: folder });
  const server = new Program({
    name: "kube-apiserver",
    command: apiServerCommand({
      files,
      etcd: etcdUrl(etcdPlace),
      address,
      port,
      serviceRange: "198.19.0.0/24",
      // Without the controller that makes them, a service account would be missing for every pod.
      extraArguments: ["--disable-admission-plugins=ServiceAccount", ...(options.extraArguments ?? [])],
    }),
    logFolder: folder,
  });
  const certificate = join(files.certificates, "apiserver.crt");
  const start = async (): Promise<void> => {
    server.start();
    await server.until("kube-apiserver is ready", () => isReady(`${url}/readyz`, admin.token, certificate));
  };
  const kill = (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => server.stop(signal);
  const stop = async (): Promise<void> => {
    forget();
    await kill();
    await etcd.stop("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  };
  const forget = endWithTests(stop);
  try {
    etcd.start();
    await etcd.until("etcd is healthy", async () => (await fetch(`${etcdUrl(etcdPlace)}/health`).catch(() => undefined))?.ok ?? false);
    await start();
    const caPem = await readFile(certificate, "utf8");
    const kubeconfigFile = join(folder, "kubeconfig");
    await writeFile(kubeconfigFile, kubeconfig({ url, caPem, token: admin.token }), { mode: 0o600 });
    return {
      url,
      caPem,
      kubeconfig: kubeconfigFile,
      tokens: { admin: admin.token },
      logFile: server.logFile,
      kill,
      start,
      restart: async () => {
        await kill();
        await start();
      },
      compact: () => compact(etcdUrl(etcdPlace)),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function compact(etcd: string): Promise<number> {
  const call = async (path: string, body: object): Promise<{ readonly header: { readonly revision: string } }> => {
    const response = await fetch(`${etcd}${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`etcd ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as { header: { revision: string } };
  };
  const { header } = await call("/v3/kv/range", { key: Buffer.from("/").toString("base64"), limit: 1 });
  await call("/v3/kv/compaction", { revision: header.revision, physical: true });
  return Number(header.revision);
}

/** Whether the server says so itself, over TLS that is checked; false while it is not there or has no certificate yet. */
async function isReady(url: string, token: string, caFile: string): Promise<boolean> {
  const ca = await readFile(caFile).catch(() => undefined);
  if (!ca) return false;
  const agent = new Agent({ ca });
  try {
    return await new Promise((resolve) => {
      const asked = request(url, { agent, timeout: 5_000, headers: { authorization: `Bearer ${token}` } }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      });
      asked.on("timeout", () => asked.destroy());
      asked.on("error", () => resolve(false));
      asked.end();
    });
  } finally {
    agent.destroy();
  }
}
