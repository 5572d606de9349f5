/** A cluster as a test sees it, whoever runs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, dirname } from "node:path";
import { text } from "node:stream/consumers";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Written to the program's stdin. */
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface Cluster extends AsyncDisposable {
  /** For a user who may do everything; its address is reached where {@link run} runs. */
  readonly kubeconfig: string;
  /** Put before a command to run it where pods, Services and the API server are reached; empty where that is everywhere. */
  readonly prefix: readonly string[];
  /** Runs a command there, with KUBECONFIG set and kubectl and helm on PATH. Whatever its end is, it is told, not thrown. */
  run(command: readonly [string, ...string[]], options?: RunOptions): Promise<Outcome>;
  /** Starts a command there that goes on beside the test, such as tcpdump; it is killed when this process ends. */
  start(command: readonly [string, ...string[]]): ChildProcess;
  /** kubectl's stdout; throws with its stderr when it fails. */
  kubectl(...args: string[]): Promise<string>;
  /** `kubectl apply` of a manifest. */
  apply(manifest: string): Promise<string>;
  /** helm's stdout; throws with its stderr when it fails. */
  helm(...args: string[]): Promise<string>;
  /** Gives the node the images of a docker-archive. */
  importImage(archive: string): Promise<void>;
  /** Ends kube-apiserver with SIGKILL, and keeps it down until {@link startApiServer}. */
  stopApiServer(): Promise<void>;
  /** Resolves when it is ready. */
  startApiServer(): Promise<void>;
  /** {@link stopApiServer} and {@link startApiServer}. */
  restartApiServer(): Promise<void>;
  /** Ends what we started; a cluster that was there before stays. */
  stop(): Promise<void>;
}

/** What each way of having a cluster shares: commands are run behind a prefix with a kubeconfig. */
export class ClusterCommands {
  readonly prefix: readonly string[];
  readonly kubeconfig: string;

  constructor(prefix: readonly string[], kubeconfig: string) {
    this.prefix = prefix;
    this.kubeconfig = kubeconfig;
  }

  async run(command: readonly [string, ...string[]], options: RunOptions = {}): Promise<Outcome> {
    const child = this.#spawn(command, "pipe", options.environment);
    const timeout = options.timeoutMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
    // A program that reads nothing may end before all was written.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
    try {
      const [stdout, stderr, [status]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, "close") as Promise<[number | null]>,
      ]);
      return { status, stdout, stderr };
    } finally {
      clearTimeout(timeout);
    }
  }

  start(command: readonly [string, ...string[]]): ChildProcess {
    return this.#spawn(command, "pipe");
  }

  kubectl(...args: string[]): Promise<string> {
    return this.#succeed([clusterProgram("kubectl"), ...args]);
  }

  apply(manifest: string): Promise<string> {
    return this.#succeed([clusterProgram("kubectl"), "apply", "-f", "-"], { input: manifest });
  }

  helm(...args: string[]): Promise<string> {
    return this.#succeed([clusterProgram("helm"), ...args]);
  }

  async #succeed(command: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.run(command, options);
    if (status !== 0) throw new Error(`${command.slice(1).join(" ")} failed (${status}): ${stderr.trim()}`);
    return stdout;
  }

  #spawn(command: readonly [string, ...string[]], stdio: "pipe", environment: Readonly<Record<string, string>> = {}) {
    const tools = ["kubectl", "helm"].map((name) => dirname(clusterProgram(name)));
    const path = [...tools, process.env["PATH"] ?? ""].join(delimiter);
    return spawn("setpriv", ["--pdeathsig", "KILL", ...this.prefix, ...command], {
      stdio,
      env: { ...process.env, PATH: path, KUBECONFIG: this.kubeconfig, ...environment },
    });
  }
}
