/** Everything of the demo that runs: the shop's applications, the control plane and a real sidecar for every pod. */
import { createWriteStream, existsSync, mkdirSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createJoinToken } from "../../ca/join-token.ts";
import { type ControlPlane, startControlPlane } from "../../controller/main.ts";
import { CommandFailure } from "../command-failure.ts";
import { ControlPlaneAdmin } from "../control-plane-admin.ts";
import { describeDuration } from "../duration.ts";
import { type HostPort, showHostPort } from "../host-port.ts";
import { replaceFile } from "../replace-file.ts";
import { logTo } from "../serve/log.ts";
import { AdminSocket } from "../sidecar/admin-socket.ts";
import { AccessLogs } from "./access-logs.ts";
import { Child } from "./child.ts";
import { type AddressBlock, type PlacedPod, reserveAddresses, writeManifests } from "./placement.ts";

const EXTENSION = extname(import.meta.filename);
const SOURCES = join(import.meta.dirname, "..", "..");
const SEAWALL = join(SOURCES, "cli", `seawall${EXTENSION}`);
const APPS = join(SOURCES, "examples", "shop", "apps");
const NAMESPACE = "shop";

/** The pods and what runs in them. */
const APPLICATIONS = [
  { pod: "web", app: "web", environment: {} },
  { pod: "orders-v1", app: "orders", environment: { VERSION: "v1" } },
  { pod: "orders-v2", app: "orders", environment: { VERSION: "v2" } },
  { pod: "payments", app: "payments", environment: { LEDGER_PORT: "0" } },
] as const;

export interface ShopOptions {
  /** An empty folder for configuration, state, tokens and logs. */
  readonly folder: string;
  readonly envoy: string;
  readonly say: (message: string) => void;
}

export class Shop implements AsyncDisposable {
  readonly folder: string;
  readonly logs = new AccessLogs();
  readonly #options: ShopOptions;
  readonly #started: AsyncDisposable[] = [];
  #identityProvider = "";
  #block: AddressBlock | undefined;
  #controlPlane: ControlPlane | undefined;
  readonly #failures: string[] = [];

  private constructor(options: ShopOptions) {
    this.#options = options;
    this.folder = options.folder;
  }

  /** Starts everything and waits until every sidecar has its configuration. Throws CommandFailure; nothing is left then. */
  static async open(options: ShopOptions, stopping: AbortSignal): Promise<Shop> {
    const shop = new Shop(options);
    try {
      await shop.#start(stopping);
    } catch (error) {
      await shop[Symbol.asyncDispose]();
      throw error;
    }
    return shop;
  }

  get configFolder(): string {
    return join(this.folder, "config");
  }

  get adminAddress(): HostPort {
    if (this.#controlPlane === undefined) throw new Error("the control plane is not started");
    return this.#controlPlane.admin;
  }

  get admin(): ControlPlaneAdmin {
    return new ControlPlaneAdmin(this.adminAddress);
  }

  /** What ended by itself since the start. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  get pods(): readonly string[] {
    return APPLICATIONS.map(({ pod }) => pod);
  }

  /** `host:port` of a pod's inbound port. */
  inbound(pod: string, port = "http"): string {
    return showHostPort({ host: this.#placed(pod).address, port: this.#placed(pod).ports[port] ?? 0 });
  }

  /** `host:port` of a pod's HTTP proxy: its way out. */
  proxy(pod: string): string {
    const { address, proxyPort } = this.#placed(pod);
    return showHostPort({ host: address, port: proxyPort });
  }

  address(pod: string): string {
    return this.#placed(pod).address;
  }

  sidecarAdmin(pod: string): AdminSocket {
    return new AdminSocket(join(this.#workFolder(pod), "admin.sock"));
  }

  tokenUrl(parameters: Readonly<Record<string, string>>): string {
    return `http://${this.#identityProvider}/token?${new URLSearchParams(parameters).toString()}`;
  }

  /** A token of the identity provider. */
  async token(parameters: Readonly<Record<string, string>>): Promise<string> {
    const answer = (await (await fetch(this.tokenUrl(parameters))).json()) as { readonly token: string };
    return answer.token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Sidecars first, all at once; what they lead to and come from afterwards.
    const started = this.#started.splice(0).reverse();
    const sidecars = started.filter((part) => part instanceof Sidecar);
    await Promise.all(sidecars.map((sidecar) => sidecar[Symbol.asyncDispose]()));
    await Promise.all(started.filter((part) => !(part instanceof Sidecar)).map((part) => part[Symbol.asyncDispose]()));
    await this.#block?.[Symbol.asyncDispose]();
  }

  async #start(stopping: AbortSignal): Promise<void> {
    const manifests = manifestsFolder();
    for (const name of ["config", "logs", "state"]) mkdirSync(join(this.folder, name), { recursive: true, mode: 0o700 });
    const block = await reserveAddresses(manifests);
    this.#block = block;
    const provider = this.#child("identity-provider", [join(APPS, `identity-provider${EXTENSION}`)], {});
    const applications = APPLICATIONS.map(({ pod, app, environment }) => {
      const proxy = `http://${this.proxy(pod)}`;
      return { pod, child: this.#child(pod, [join(APPS, `${app}${EXTENSION}`)], { ...environment, HTTP_PROXY: proxy, PORT: "0" }) };
    });
    this.#identityProvider = await listensOn(provider, /^identity provider listens on (.+)$/);
    this.#tell("identity provider", this.#identityProvider);
    const ports = new Map<string, Record<string, number>>();
    for (const { pod, child } of applications) {
      const names = Object.keys(block.pods.get(pod)?.ports ?? {});
      const forms = names.map(
        (name) => [name, name === "http" ? /^(?!ledger).* listens on (.+)$/ : new RegExp(`^${name} listens on (.+)$`)] as const,
      );
      const found = await Promise.all(forms.map(async ([name, form]) => [name, await listensOn(child, form)] as const));
      ports.set(pod, Object.fromEntries(found.map(([name, where]) => [name, Number(where.split(":").at(-1))])));
      this.#tell(`application of ${pod}`, found.map(([, where]) => where).join(", "));
    }
    const jwksUri = `http://${this.#identityProvider}/jwks`;
    writeManifests(manifests, this.configFolder, { pods: block.pods, applications: ports, jwksUri });
    stopping.throwIfAborted();
    await this.#startControlPlane();
    stopping.throwIfAborted();
    await Promise.all(APPLICATIONS.map(({ pod }) => this.#startSidecar(pod)));
    await this.#untilSynced(stopping);
  }

  async #startControlPlane(): Promise<void> {
    const log = createWriteStream(join(this.folder, "logs", "control-plane.log"), { mode: 0o600 });
    const controlPlane = await startControlPlane({
      configFolder: this.configFolder,
      stateFolder: join(this.folder, "state"),
      xds: { host: "127.0.0.1", port: 0 },
      admin: { host: "127.0.0.1", port: 0 },
      insecureXds: false,
      log: logTo(log, { format: "text", level: "debug" }),
    });
    this.#controlPlane = controlPlane;
    this.#started.push({
      async [Symbol.asyncDispose]() {
        await controlPlane.stop();
        log.end();
      },
    });
    this.#tell("control plane", `xDS ${showHostPort(controlPlane.xds)}, admin ${showHostPort(controlPlane.admin)}`);
  }

  async #startSidecar(pod: string): Promise<void> {
    const started = Date.now();
    const state = join(this.folder, "state");
    const { token } = await createJoinToken(state, { namespace: NAMESPACE, pod, ttl: 24 * 3_600_000 });
    const tokenFile = join(this.folder, `${pod}.token`);
    await replaceFile(tokenFile, `${token}\n`);
    const { xds } = this.#controlPlane ?? { xds: { host: "127.0.0.1", port: 0 } };
    const args = [
      ...[SEAWALL, "sidecar", "--token-file", tokenFile, "--control-plane", showHostPort(xds), "--ca-file", join(state, "trust.pem")],
      ...["--work-dir", this.#workFolder(pod), "--envoy", this.#options.envoy, "--drain-timeout", "500ms"],
    ];
    const child = new Child({ name: `the sidecar of ${pod}`, args, logFile: this.#logFile(`sidecar-${pod}`) });
    this.#started.push(new Sidecar(child));
    child.onLine((line) => this.logs.read(line));
    child.onUnexpectedEnd((how) => this.#failures.push(`the sidecar of ${pod} ended: ${how}`));
    await child.line(/^seawall: ready after/);
    this.#tell(
      `sidecar of ${pod}`,
      `${this.inbound(pod)}, HTTP proxy ${this.proxy(pod)} (Envoy ready after ${describeDuration(Date.now() - started)})`,
    );
  }

  async #untilSynced(stopping: AbortSignal): Promise<void> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const missing = (await this.admin.sidecars()).filter(({ synced }) => !synced).map(({ subscriber }) => subscriber);
      if (missing.length === 0) return;
      if (Date.now() > deadline) throw CommandFailure.failed(`not all sidecars have their configuration after 30 s: ${missing.join(", ")}`);
      await pause(20, undefined, { signal: stopping });
    }
  }

  #child(name: string, args: readonly string[], environment: Readonly<Record<string, string>>): Child {
    const child = new Child({ name, args, environment, logFile: this.#logFile(name) });
    this.#started.push({ [Symbol.asyncDispose]: () => child.stop() });
    child.onUnexpectedEnd((how) => this.#failures.push(`${name} ended: ${how}`));
    return child;
  }

  #placed(pod: string): PlacedPod {
    const placed = this.#block?.pods.get(pod);
    if (placed === undefined) throw new Error(`the shop has no pod ${pod}`);
    return placed;
  }

  #workFolder(pod: string): string {
    return join(this.folder, "run", pod);
  }

  #logFile(name: string): string {
    return join(this.folder, "logs", `${name}.log`);
  }

  #tell(what: string, where: string): void {
    this.#options.say(`  ${what.padEnd(24)} ${where}`);
  }
}

class Sidecar implements AsyncDisposable {
  readonly #child: Child;

  constructor(child: Child) {
    this.#child = child;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child.stop();
  }
}

async function listensOn(child: Child, form: RegExp): Promise<string> {
  return (await child.line(form))[1] ?? "";
}

/** Beside the sources, or beside what was built of them. */
function manifestsFolder(): string {
  const found = join(SOURCES, "examples", "shop", "manifests");
  if (existsSync(found)) return found;
  const above = join(dirname(SOURCES), "examples", "shop", "manifests");
  if (existsSync(above)) return above;
  throw CommandFailure.failed(`the example shop is not part of this installation: there is no ${found}`);
}
