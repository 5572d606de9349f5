/**
 * A standalone sidecar: writes the bootstrap, keeps one Envoy running and its token fresh, and tells a person what it
 * does and what is in its way. The access log goes from Envoy to stdout untouched; everything said here is on stderr.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { sidecarBootstrap } from "../../xds-server/envoy/bootstrap.ts";
import { type ControlPlaneTrust, tokenSecretFile } from "../../xds-server/envoy/control-plane-cluster.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { BootstrapSchema } from "../../xds-server/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { CommandFailure, reasonOf } from "../command-failure.ts";
import { describeDuration } from "../duration.ts";
import type { HostPort } from "../host-port.ts";
import { say, type Terminal } from "../terminal.ts";
import { AdminSocket } from "./admin-socket.ts";
import { findEnvoy } from "./envoy-binary.ts";
import { isExposed, MAKE_ONE, readJoinTokenFile } from "./join-token-file.ts";
import { NoticeBoard } from "./notice-board.ts";
import { EnvoySupervisor } from "./supervisor.ts";
import { TokenKeeper } from "./token-keeper.ts";
import { renewToken } from "./token-renewal.ts";
import { WorkFolder } from "./work-folder.ts";

export interface SidecarOptions {
  readonly controlPlane: HostPort;
  readonly serverName: string;
  /** PEM of the mesh's roots; not needed with `insecureXds`. */
  readonly caFile: string;
  readonly tokenFile: string;
  /** A temporary folder when absent. */
  readonly workDir?: string;
  readonly envoy?: string;
  readonly concurrency: number;
  /** Of Envoy. */
  readonly logLevel: string;
  readonly insecureXds: boolean;
  /** Milliseconds that open requests are given at the end. */
  readonly drainTimeout: number;
}

/** Runs until it is interrupted. Throws CommandFailure when it cannot start at all. */
export async function runSidecar(options: SidecarOptions, terminal: Terminal): Promise<void> {
  const stopping = terminal.interruption();
  const tell = (message: string): void => say(terminal, `seawall: ${message}`);
  const trust = await readTrust(options);
  const token = await readJoinTokenFile(options.tokenFile);
  const left = token.expiresAt - Date.now();
  if (left <= 0) {
    throw CommandFailure.failed(`the token in ${options.tokenFile} expired ${describeDuration(left)} ago. Make a new one: ${MAKE_ONE}`);
  }
  if (await isExposed(options.tokenFile))
    tell(`others on this machine can read ${options.tokenFile}, and so be this pod. Run: chmod 600 ${options.tokenFile}`);
  const program = await findEnvoy(options.envoy, terminal.environment);

  await using work = await WorkFolder.open(options.workDir);
  const admin = new AdminSocket(work.adminSocket);
  const pod = `${token.namespace}/${token.pod}`;
  await work.writeToken(tokenSecretFile(token.token));
  const bootstrap = sidecarBootstrap({
    nodeId: pod,
    nodeCluster: pod,
    adminSocket: work.adminSocket,
    controlPlane: options.controlPlane,
    trust,
    tokenFile: work.tokenFile,
    tokenFolder: work.tokenFolder,
  });
  await work.writeBootstrap(envoyJson(BootstrapSchema, bootstrap));
  tell(`sidecar of ${pod}; its token expires in ${describeDuration(left)} and is renewed before that`);

  const keeper = new TokenKeeper({
    file: options.tokenFile,
    first: token,
    renew: (current) => renewToken({ address: options.controlPlane, ...(trust.kind === "tls" ? { tls: trust } : {}) }, current),
    use: (fresh) => work.writeToken(tokenSecretFile(fresh.token)),
    say: tell,
  });
  const supervisor = new EnvoySupervisor({
    program,
    bootstrapFile: work.bootstrapFile,
    admin,
    concurrency: options.concurrency,
    logLevel: options.logLevel,
    board: new NoticeBoard({ ...options, caFile: trust.kind === "tls" ? trust.caFile : undefined, say: tell }),
    say: tell,
    drainTimeout: options.drainTimeout,
  });
  const renewing = keeper.run(stopping);
  await supervisor.run(stopping);
  await renewing;
}

async function readTrust({ insecureXds, controlPlane, serverName, caFile }: SidecarOptions): Promise<ControlPlaneTrust> {
  if (insecureXds) {
    if (!isLoopback(controlPlane.host)) {
      throw CommandFailure.usage(
        `--insecure-xds sends the token and private keys in the clear: only on loopback, not to ${controlPlane.host}`,
      );
    }
    return { kind: "plaintext" };
  }
  let pem: string;
  try {
    pem = await readFile(caFile, "utf8");
  } catch (error) {
    const reason = reasonOf((error as NodeJS.ErrnoException).code ?? "");
    throw CommandFailure.usage(`the roots in ${caFile} cannot be read: ${reason}. ${WHERE_ROOTS_ARE}`, error);
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw CommandFailure.usage(`${caFile} holds no PEM certificate. ${WHERE_ROOTS_ARE}`);
  return { kind: "tls", serverName, caFile: resolve(caFile) };
}

const WHERE_ROOTS_ARE = "`seawall serve` keeps them in trust.pem of its state folder: name that file, or a copy of it, with --ca-file.";

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
