/**
 * A standalone mesh as a user runs it: a folder of YAML, the control plane, and for every pod a real Envoy with the
 * bootstrap of `seawall sidecar` before a small application.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../../ca/clock.ts";
import { createJoinToken } from "../../../ca/join-token.ts";
import type { SidecarStatus } from "../../../controller/admin/sidecars.ts";
import type { PolicyStatus } from "../../../controller/status/policy-status.ts";
import { sidecarBootstrap } from "../../../xds-server/envoy/bootstrap.ts";
import { tokenSecretFile } from "../../../xds-server/envoy/control-plane-cluster.ts";
import { envoyJson } from "../../../xds-server/envoy/yaml.ts";
import { BootstrapSchema } from "../../../xds-server/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { endWithTests } from "../../support/endings.ts";
import { type RunningEnvoy, startEnvoy } from "../../support/envoy.ts";
import type { HeaderLine, HttpAnswer } from "../../support/http-client.ts";
import { Http1Client } from "../../support/http1-client.ts";
import { startTcpEcho } from "../../support/tcp-echo.ts";
import { ASK, startUpstream } from "../../support/upstream.ts";
import { ownAddress } from "../../support/addresses.ts";
import { type Application, type ApplicationPlan, applicationYaml, documents, HTTP_PORT, PROXY_PORT, TCP_PORT } from "./application.ts";
import { ADMIN_PORT, type RunningControlPlane, runControlPlane, trustFile, XDS_PORT } from "./control-plane.ts";
import { eventually } from "../../support/eventually.ts";
import { TcpConversation } from "./tcp-conversation.ts";

export interface MeshPlan<Name extends string> {
  readonly applications: Readonly<Record<Name, ApplicationPlan>>;
  /** File names and what is in them. The applications' own objects are beside them. */
  readonly files: Readonly<Record<string, string>>;
  readonly leafLifetimeMs?: number;
  /** By which the control plane in this process judges tokens. */
  readonly tokenClock?: Clock;
  /** Where the control plane runs. Default `in-process`. */
  readonly controlPlane?: "in-process" | "child-process";
}

/** A request by HTTP/1.1. */
export interface Call {
  /** Default GET. */
  readonly method?: string;
  /** Default `/`. */
  readonly path?: string;
  /** Default: the called application's name. */
  readonly host?: string;
  readonly headers?: readonly HeaderLine[];
  readonly body?: string;
}

export interface CallAnswer extends HttpAnswer {
  /** By which the access log of both sides knows the call. */
  readonly requestId: string;
}

/** A line of the access log; what is empty is not in it. */
export type LogEntry = Readonly<Record<string, unknown>>;

export class RunningMesh<Name extends string> {
  readonly configFolder: string;
  readonly stateFolder: string;
  /** Where the control plane serves. */
  readonly address: string;
  readonly #plan: MeshPlan<Name>;
  readonly #folder: string;
  readonly #applications = new Map<Name, Application>();
  readonly #sidecars = new Map<Name, RunningEnvoy>();
  #controlPlane: RunningControlPlane | undefined;
  #edits = 0;

  constructor(plan: MeshPlan<Name>) {
    this.#plan = plan;
    this.#folder = mkdtempSync(join(tmpdir(), "seawall-mesh-"));
    this.configFolder = join(this.#folder, "config");
    this.stateFolder = join(this.#folder, "state");
    this.address = ownAddress();
    mkdirSync(this.configFolder);
    endWithTests(async () => this.stop());
  }

  async start(): Promise<void> {
    await Promise.all(this.#names().map((name) => this.#startApplication(name)));
    this.write("namespace.yaml", documents({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }));
    for (const [name, app] of this.#applications)
      this.write(`application-${name}.yaml`, applicationYaml(name, this.#plan.applications[name], app));
    for (const [file, text] of Object.entries<string>(this.#plan.files)) this.write(file, text);
    await this.startControlPlane();
    await Promise.all(
      this.#names()
        .filter((name) => this.#plan.applications[name].sidecar === undefined)
        .map((name) => this.#startSidecar(name)),
    );
    await this.synced();
  }

  app(name: Name): Application {
    const app = this.#applications.get(name);
    if (app === undefined) throw new Error(`no application ${name}`);
    return app;
  }

  // ---- The control plane ----

  async startControlPlane(): Promise<void> {
    const { leafLifetimeMs, tokenClock, controlPlane: kind = "in-process" } = this.#plan;
    const { configFolder, stateFolder, address } = this;
    this.#controlPlane = await runControlPlane({
      ...{ configFolder, stateFolder, address, kind },
      ...(leafLifetimeMs === undefined ? {} : { leafLifetimeMs }),
      ...(tokenClock === undefined ? {} : { tokenClock }),
    });
  }

  /** kill -9. */
  async killControlPlane(): Promise<void> {
    await this.#controlPlane?.kill();
  }

  controlPlaneLog(): readonly string[] {
    return this.#controlPlane?.log() ?? [];
  }

  /** What the admin port answers to GET, as text. Throws on any answer but 200. */
  async admin(path: string): Promise<string> {
    const answer = await fetch(`http://${this.address}:${ADMIN_PORT}${path}`);
    const body = await answer.text();
    if (!answer.ok) throw new Error(`the admin port answered ${answer.status} to ${path}: ${body}`);
    return body;
  }

  async sidecars(): Promise<readonly SidecarStatus[]> {
    return JSON.parse(await this.admin("/debug/sidecars")) as SidecarStatus[];
  }

  /** What became of a policy. */
  async policy(kind: string, name: string): Promise<PolicyStatus | undefined> {
    const policies = JSON.parse(await this.admin("/debug/policies")) as PolicyStatus[];
    return policies.find((policy) => policy.kind === kind && policy.name === name);
  }

  /** The sum of a metric over all its labels that match. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    const lines = (await this.admin("/metrics")).split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return lines
      .filter((line) => wanted.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  // ---- The files ----

  /** Replaces a file in one step, as an editor does, and waits for nothing. */
  write(file: string, text: string): void {
    const path = join(this.configFolder, file);
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
  }

  remove(file: string): void {
    rmSync(join(this.configFolder, file));
  }

  /** Replaces a file whose YAML can be parsed, and resolves when the sidecars have accepted all that it changed for them. */
  async edit(file: string, text: string): Promise<void> {
    // A service that nobody can see, whose port is the number of the edit, tells that the file was read.
    const marker = file.replace(/\W/g, "-");
    const port = ++this.#edits;
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: marker, namespace: "edits" }, spec: { ports: [{ port }] } };
    this.write(file, `${text}\n---\n${documents(service)}`);
    const key = `"edits/${marker}/${port}"`;
    await this.#awaited(`the edit of ${file} is read`, async () =>
      (await this.admin("/debug/services")).includes(key) ? true : undefined,
    );
    await this.synced();
  }

  /** Resolves when every pod with a sidecar is connected and has accepted everything. */
  async synced(): Promise<void> {
    await this.#awaited("all sidecars are synced", async () => {
      const expected = this.#sidecars.size;
      const synced = (await this.sidecars()).filter((sidecar) => sidecar.synced);
      return synced.length >= expected ? true : undefined;
    });
  }

  // ---- Traffic ----

  /** Calls as an application does: through its own sidecar's proxy. */
  async call(from: Name, to: Name, call: Call = {}): Promise<CallAnswer> {
    return this.request({ address: this.app(from).address, port: PROXY_PORT }, { host: to, ...call });
  }

  /** Calls a pod as one does who is not in the mesh: without TLS, straight at the sidecar. */
  async callInPlaintext(to: Name, call: Call = {}): Promise<CallAnswer> {
    return this.request({ address: this.app(to).address, port: HTTP_PORT }, { host: to, ...call });
  }

  /** Opens a TCP connection to an application's TCP port as an application does: at the loopback port of the service. */
  async connect(from: Name, to: Name): Promise<TcpConversation> {
    const key = `${this.app(to).namespace}/${to}/${TCP_PORT}`;
    const services = JSON.parse(await this.admin("/debug/services")) as { readonly key: string; readonly loopbackPort?: number }[];
    const port = services.find((service) => service.key === key)?.loopbackPort;
    if (port === undefined) throw new Error(`${key} has no loopback port`);
    return TcpConversation.open(this.app(from).address, port);
  }

  /** Asks an application for an answer that never ends (a line every 20 ms), and resolves when it flows. */
  async stream(from: Name, to: Name): Promise<TcpConversation> {
    const conversation = await TcpConversation.open(this.app(from).address, PROXY_PORT);
    conversation.say(`GET /stream HTTP/1.1\r\nhost: ${to}\r\n${ASK}: stream\r\n\r\n`);
    await conversation.heard("tick");
    return conversation;
  }

  /** Calls until the answer has this status. */
  async becomes(status: number, call: () => Promise<CallAnswer>): Promise<CallAnswer> {
    let last: CallAnswer | undefined;
    return this.#awaited(
      `the answer is ${status}`,
      async () => {
        last = await call();
        return last.status === status ? last : undefined;
      },
      () => `the last answer: ${JSON.stringify(last)}`,
    );
  }

  async request(server: { readonly address: string; readonly port: number }, call: Call): Promise<CallAnswer> {
    const requestId = randomUUID();
    using client = new Http1Client(server);
    const { method = "GET", path = "/", host = "", headers = [], body } = call;
    const answer = await client.request({
      ...{ method, path, authority: host, headers: [...headers, ["x-request-id", requestId]] },
      ...(body === undefined ? {} : { body }),
    });
    return { ...answer, requestId };
  }

  /** The access log's line about a call, at one side. */
  async logged(name: Name, { requestId }: { readonly requestId: string }): Promise<LogEntry> {
    return this.loggedWith(name, { requestId });
  }

  /** The first line of an access log that holds these fields. */
  async loggedWith(name: Name, fields: LogEntry): Promise<LogEntry> {
    const holds = (line: string): boolean => {
      const entry = JSON.parse(line) as LogEntry;
      return Object.entries(fields).every(([field, value]) => entry[field] === value);
    };
    return JSON.parse(await this.app(name).sidecar.stdoutLines.waitFor(holds)) as LogEntry;
  }

  async stop(): Promise<void> {
    const sidecars = [...this.#sidecars.values()];
    this.#sidecars.clear();
    await Promise.all(sidecars.map((sidecar) => sidecar.stop()));
    await this.#controlPlane?.stop();
    this.#controlPlane = undefined;
    await Promise.all([...this.#applications.values()].map(async ({ upstream, echo }) => Promise.all([upstream.stop(), echo?.stop()])));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  // ---- Starting ----

  #names(): Name[] {
    return Object.keys(this.#plan.applications) as Name[];
  }

  async #startApplication(name: Name): Promise<void> {
    const { tcp, namespace = "shop" } = this.#plan.applications[name];
    const upstream = await startUpstream({ name });
    const echo = tcp === undefined ? undefined : await startTcpEcho(tcp);
    const sidecars = this.#sidecars;
    this.#applications.set(name, {
      ...{ name, namespace, address: ownAddress(), upstream, echo },
      get sidecar() {
        const sidecar = sidecars.get(name);
        if (sidecar === undefined) throw new Error(`${name} has no sidecar`);
        return sidecar;
      },
    });
  }

  async #startSidecar(name: Name): Promise<void> {
    const { namespace } = this.app(name);
    const { token } = await createJoinToken(this.stateFolder, { namespace, pod: name, ttl: 3_600_000 });
    const sidecar = await this.startSidecarWith(token, `${namespace}/${name}`);
    this.#sidecars.set(name, sidecar);
    await sidecar.waitReady();
  }

  /** An Envoy with the bootstrap of `seawall sidecar` and a token; `nodeId` is what it says of itself. It need not become ready. */
  async startSidecarWith(token: string, nodeId: string): Promise<RunningEnvoy> {
    const tokenFolder = mkdtempSync(join(this.#folder, "token-"));
    const tokenFile = join(tokenFolder, "sds.json");
    writeFileSync(tokenFile, JSON.stringify(tokenSecretFile(token)), { mode: 0o600 });
    const bootstrap = sidecarBootstrap({
      ...{ nodeId, nodeCluster: nodeId, adminSocket: "", tokenFile, tokenFolder },
      controlPlane: { host: this.address, port: XDS_PORT },
      trust: { kind: "tls", serverName: "localhost", caFile: trustFile(this.stateFolder) },
    });
    return startEnvoy({
      // A test asks the admin port over TCP; everything else is as `seawall sidecar` has it.
      config: { ...envoyJson(BootstrapSchema, bootstrap), admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } } },
      extraArguments: ["--drain-time-s", "30", "--drain-strategy", "immediate"],
    });
  }

  #awaited<T>(what: string, ask: () => Promise<T | undefined>, context: () => string = () => ""): Promise<T> {
    return eventually(what, ask, { context: () => `${context()}\n${this.controlPlaneLog().slice(-20).join("\n")}` });
  }
}

/** Starts a mesh that ends with the test file at the latest. Resolves when all sidecars are synced. */
export async function startMesh<Name extends string>(plan: MeshPlan<Name>): Promise<RunningMesh<Name>> {
  const mesh = new RunningMesh(plan);
  await mesh.start();
  return mesh;
}
