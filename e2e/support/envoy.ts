/** Runs the pinned Envoy for a test: its ports are the operating system's choice, and it ends with the test file. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { parse } from "yaml";
import { envoyPath } from "../../tools/fetch-envoy.ts";
import { SIDECAR_RUNTIME } from "../../xds-server/envoy/runtime.ts";
import { Collected } from "./collected.ts";
import { endWithTests } from "./endings.ts";
import { PATIENCE_MS } from "./eventually.ts";

export interface EnvoyOptions {
  /** A bootstrap, as an object or as YAML text. Where it has no `admin`, one is added on 127.0.0.1. Listeners may use port 0. */
  readonly config: object | string;
  readonly concurrency?: number;
  /** Of the log on stderr, which is kept and shown when something goes wrong. */
  readonly logLevel?: "trace" | "debug" | "info" | "warning" | "error";
  readonly extraArguments?: readonly string[];
}

export interface RunningEnvoy extends AsyncDisposable {
  readonly pid: number;
  readonly adminAddress: string;
  readonly adminPort: number;
  /** Lines on stdout: the access log, when the configuration sends it there. */
  readonly stdoutLines: Collected<string>;
  /** What it logged so far. */
  stderr(): string;
  /** Resolves when `/ready` answers 200: every cluster, listener and route that it waits for is there. */
  waitReady(timeoutMs?: number): Promise<void>;
  /** Where a listener listens, by name: the way to learn what port 0 became. Waits until the listener is there. */
  listenerPort(name: string, timeoutMs?: number): Promise<number>;
  /** Counters and gauges whose name matches (RE2, unanchored). */
  stats(filter?: string): Promise<ReadonlyMap<string, number>>;
  /** Polls {@link stats} until the predicate holds. */
  waitForStats(filter: string, predicate: (stats: ReadonlyMap<string, number>) => boolean, timeoutMs?: number): Promise<void>;
  /** `query`, for example `?include_eds`. */
  configDump(query?: string): Promise<unknown>;
  /** A request to the admin port: the body of a 200 answer; throws on any other. */
  admin(path: string, method?: "GET" | "POST"): Promise<string>;
  /** Ends the process and waits for its end. Harmless the second time. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts Envoy and waits for its admin port. Throws with Envoy's own words when it does not come up. */
export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  const binary = envoyPath();
  if (!existsSync(binary)) throw new Error(`Envoy is not in ${binary}: run make tools`);
  const folder = await mkdtemp(join(tmpdir(), "seawall-envoy-"));
  const configFile = join(folder, "bootstrap.json");
  const adminFile = join(folder, "admin");
  await writeFile(configFile, JSON.stringify(withAdmin(options.config)), { mode: 0o600 });
  const child = spawn(
    binary,
    [
      ...["--config-path", configFile, "--admin-address-path", adminFile],
      // Without hot restart there is neither a base id to clash over nor shared memory to leave behind.
      ...["--disable-hot-restart", "--concurrency", String(options.concurrency ?? 1), "--log-level", options.logLevel ?? "warning"],
      // The access log is written through at once; by default it waits 10 s.
      ...["--file-flush-interval-msec", "20"],
      ...(options.extraArguments ?? []),
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const envoy = new EnvoyProcess(child, folder);
  try {
    await envoy.findAdmin(adminFile);
  } catch (error) {
    await envoy.stop();
    throw error;
  }
  return envoy;
}

function withAdmin(config: object | string): object {
  const bootstrap: unknown = typeof config === "string" ? parse(config, { version: "1.1" }) : config;
  if (typeof bootstrap !== "object" || bootstrap === null) throw new Error("an Envoy bootstrap is an object");
  return {
    layered_runtime: { layers: [{ name: "sidecar", static_layer: SIDECAR_RUNTIME }] },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    ...bootstrap,
  };
}

class EnvoyProcess implements RunningEnvoy {
  readonly stdoutLines: Collected<string>;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #folder: string;
  readonly #log: Buffer[] = [];
  readonly #forget: () => void;
  #admin = "";
  #stopping = false;

  constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.stdoutLines = new Collected(() => this.stderr());
    if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => this.stdoutLines.add(line));
    child.stderr?.on("data", (chunk: Buffer) => this.#log.push(chunk));
    const kill = (): void => void child.kill("SIGKILL");
    process.once("exit", kill);
    this.#exited = once(child, "close").then(() => process.removeListener("exit", kill));
    this.#forget = endWithTests(() => this.stop());
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("Envoy could not be started");
    return this.#child.pid;
  }

  get adminAddress(): string {
    return this.#admin;
  }

  get adminPort(): number {
    return Number(this.#admin.slice(this.#admin.lastIndexOf(":") + 1));
  }

  stderr(): string {
    return Buffer.concat(this.#log).toString();
  }

  async findAdmin(file: string): Promise<void> {
    this.#admin = await this.#poll("opened no admin port", PATIENCE_MS, async () => {
      const text = existsSync(file) ? await readFile(file, "utf8") : "";
      return text === "" ? undefined : text;
    });
    // The port is bound before the configuration is read; it answers only when the configuration was accepted.
    await this.#poll("did not accept its configuration", PATIENCE_MS, () =>
      this.admin("/server_info").then(
        () => true,
        () => undefined,
      ),
    );
  }

  async waitReady(timeoutMs = PATIENCE_MS): Promise<void> {
    await this.#poll("did not become ready", timeoutMs, async () => {
      const answer = await fetch(`http://${this.#admin}/ready`);
      await answer.text();
      return answer.ok ? true : undefined;
    });
  }

  async listenerPort(name: string, timeoutMs = PATIENCE_MS): Promise<number> {
    return this.#poll(`has no listener ${name}`, timeoutMs, async () => {
      const { listener_statuses: listeners = [] } = JSON.parse(await this.admin("/listeners?format=json")) as ListenersAnswer;
      const port = listeners.find((listener) => listener.name === name)?.local_address.socket_address?.port_value;
      return port === undefined || port === 0 ? undefined : port;
    });
  }

  async stats(filter?: string): Promise<ReadonlyMap<string, number>> {
    const query = filter === undefined ? "" : `&filter=${encodeURIComponent(filter)}`;
    const { stats } = JSON.parse(await this.admin(`/stats?format=json${query}`)) as StatsAnswer;
    return new Map(stats.flatMap(({ name, value }) => (name !== undefined && typeof value === "number" ? [[name, value]] : [])));
  }

  async waitForStats(filter: string, predicate: (stats: ReadonlyMap<string, number>) => boolean, timeoutMs = PATIENCE_MS): Promise<void> {
    await this.#poll(`did not reach the awaited stats of ${filter}`, timeoutMs, async () =>
      predicate(await this.stats(filter)) ? true : undefined,
    );
  }

  async configDump(query = ""): Promise<unknown> {
    return JSON.parse(await this.admin(`/config_dump${query}`));
  }

  async admin(path: string, method: "GET" | "POST" = "GET"): Promise<string> {
    const answer = await fetch(`http://${this.#admin}${path}`, { method });
    const body = await answer.text();
    if (!answer.ok) throw new Error(`Envoy's admin answered ${answer.status} to ${path}: ${body}`);
    return body;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#stopping = true;
    this.#forget();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal);
      const kill = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
      await this.#exited;
      clearTimeout(kill);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Asks until there is an answer; gives up when Envoy has ended or time has run out, with what Envoy said. */
  async #poll<T>(failure: string, timeoutMs: number, ask: () => Promise<T | undefined>): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (this.#stopping) throw new Error(`Envoy was stopped while a test still waited: it ${failure}`);
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        await this.#exited;
        throw new Error(`Envoy ended (${this.#child.exitCode ?? this.#child.signalCode}) and ${failure}:\n${this.stderr()}`);
      }
      const answer = await ask();
      if (answer !== undefined) return answer;
      if (Date.now() > deadline) throw new Error(`Envoy ${failure} within ${timeoutMs} ms:\n${this.stderr()}`);
      await pause(15);
    }
  }
}

interface ListenersAnswer {
  readonly listener_statuses?: readonly {
    readonly name: string;
    readonly local_address: { readonly socket_address?: { readonly port_value: number } };
  }[];
}

interface StatsAnswer {
  readonly stats: readonly { readonly name?: string; readonly value?: unknown }[];
}
