/**
 * Pods as the injector makes them, without a cluster: network namespaces with the redirect of an injected pod, Envoy with
 * its bootstrap and user, and the control plane's mesh in this process. Needs root, iproute2 and nftables.
 */
import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { createServer, connect, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CertificateAuthority } from "../../ca/authority.ts";
import { LeafSecrets } from "../../ca/leaf-secrets.ts";
import { LeafVersions } from "../../ca/leaf-version.ts";
import { systemRandomness } from "../../ca/randomness.ts";
import { StateFolder } from "../../ca/state-folder.ts";
import { redirectRules } from "../../controller/injector/redirect-rules.ts";
import { TestMesh } from "../../controller/mesh/testing/mesh-of.ts";
import { identitySecret, trustSecret } from "../../controller/secrets.ts";
import { feedXds } from "../../controller/xds-feed.ts";
import type { KubernetesObject } from "../../crds/core/object.ts";
import { envoyPath } from "../../tools/fetch-envoy.ts";
import { DeltaServer } from "../../xds-server/delta/delta-server.ts";
import type { EncodedResource } from "../../xds-server/delta/feed.ts";
import {
  kubernetesBootstrap,
  sidecarArguments,
  SIDECAR_FILES,
  SIDECAR_FOLDER,
  type SidecarProbe,
} from "../../xds-server/envoy/kubernetes-bootstrap.ts";
import { SIDECAR_PORTS, SIDECAR_UID } from "../../xds-server/envoy/sidecar-ports.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { BootstrapSchema } from "../../xds-server/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { eventually } from "../support/eventually.ts";
import { Collected } from "../support/collected.ts";
import { endWithTests } from "../support/endings.ts";
import type { HttpAnswer } from "../support/http-client.ts";
import { type PodAddresses, PodNetwork } from "./pod-network.ts";
import type { Conversation, PodCall, PodConversation, PodRequest } from "./pod-request.ts";

const NAMESPACE = "shop";
const TRUST_DOMAIN = "cluster.local";
export const FAREWELL_KEY = "7d3c";
const CONTROL_PLANE = { host: "seawall.seawall-system.svc", port: 15010 } as const;

export interface PodPlan {
  /** Default: the pod's name without its number. */
  readonly app?: string;
  readonly sidecar?: boolean;
  readonly probes?: readonly SidecarProbe[];
  readonly excludedInboundPorts?: readonly number[];
  /** Default true; otherwise the mesh is told of it by {@link RedirectedMesh.introduce}. */
  readonly known?: boolean;
}

/** A line of the access log; what is empty is not in it. */
export type LogEntry = Readonly<Record<string, unknown>>;

interface Process {
  readonly stop: () => Promise<void>;
  readonly lines: Collected<string>;
  readonly words: () => string;
}

export interface RunningPod {
  readonly name: string;
  readonly addresses: PodAddresses;
  readonly object: KubernetesObject;
  readonly control: string;
  readonly sidecar?: Process;
}

export class RedirectedMesh {
  readonly test: TestMesh;
  readonly #folder = mkdtempSync(join(tmpdir(), "seawall-redirect-"));
  readonly #network = new PodNetwork();
  readonly #server: DeltaServer;
  readonly #leaves: LeafSecrets<EncodedResource>;
  readonly #authority: CertificateAuthority;
  readonly #processes: Process[] = [];
  readonly #pods = new Map<string, RunningPod>();
  #gate: Server | undefined;
  readonly nacks: string[] = [];

  constructor() {
    chmodSync(this.#folder, 0o755);
    endWithTests(() => this.stop());
    const state = StateFolder.open(join(this.#folder, "state"), "write");
    this.#authority = new CertificateAuthority({ store: state, trustDomain: TRUST_DOMAIN });
    this.test = new TestMesh([], { kind: "kubernetes" }, trustSecret(this.#authority.trust.pem));
    const { workloadOfPod } = this.test.mesh.inventory;
    this.#leaves = new LeafSecrets({
      authority: this.#authority,
      versions: LeafVersions.open(state, (size) => systemRandomness.bytes(size)),
      identityOf: (subscriber) => {
        const workload = workloadOfPod.get(subscriber);
        return workload && { trustDomain: TRUST_DOMAIN, namespace: workload.namespace, serviceAccount: workload.serviceAccount };
      },
      encodeSecret: identitySecret,
      onFailure: (_subscriber, failure) => this.nacks.push(String(failure)),
    });
    this.#server = new DeltaServer({
      // A token here is the pod's key.
      authenticator: {
        authenticate: (token) => Promise.resolve({ subscriber: token ?? "", expiresAt: Date.now() + 24 * 3_600_000 }),
      },
      privateResources: [this.#leaves],
      observer: { onNack: (subscriber, { names, message }) => this.nacks.push(`${subscriber} ${names.join()}: ${message}`) },
    });
    feedXds(this.test.graph, this.test.mesh, (update) => this.#server.apply(update));
  }

  /** Opens the xDS port, and a way to it that leads into every network namespace. */
  async start(): Promise<void> {
    const { chainPem, key } = this.#authority.issue({ trustDomain: TRUST_DOMAIN, namespace: "seawall-system", serviceAccount: "seawall" }, [
      CONTROL_PLANE.host,
    ]);
    const certificate = { chain: chainPem, privateKey: key.reveal() };
    const { port } = await this.#server.listen({ host: "127.0.0.1", port: 0, security: { kind: "tls", certificate } });
    this.#gate = createServer((inside) => {
      const outside = connect(port, "127.0.0.1");
      inside.pipe(outside).pipe(inside);
      inside.on("error", () => outside.destroy());
      outside.on("error", () => inside.destroy());
    });
    await new Promise<void>((resolve) => this.#gate?.listen(this.#gatePath, resolve));
    chmodSync(this.#gatePath, 0o777);
    copyFileSync(envoyPath(), this.#envoy);
    chmodSync(this.#envoy, 0o755);
  }

  get #gatePath(): string {
    return join(this.#folder, "xds.sock");
  }

  get #envoy(): string {
    return join(this.#folder, "envoy");
  }

  pod(name: string): RunningPod {
    const pod = this.#pods.get(name);
    if (pod === undefined) throw new Error(`no pod ${name}`);
    return pod;
  }

  /** Makes a pod with its application, and its sidecar unless it has none. */
  async addPod(name: string, plan: PodPlan = {}): Promise<RunningPod> {
    const { app = name.replace(/-\d+$/, ""), sidecar = true, probes = [], excludedInboundPorts = [], known = true } = plan;
    const { enter, addresses } = this.#network.add(this.#pods.size + 1);
    const control = join(this.#folder, `${name}.sock`);
    const program = this.#run(`application of ${name}`, [
      ...enter,
      process.execPath,
      join(import.meta.dirname, "pod-program.ts"),
      control,
      name,
    ]);
    await program.lines.waitFor((line) => line === "ready");
    const object = podObject(name, app, addresses, sidecar, excludedInboundPorts);
    if (known) this.introduce({ object });
    const running = { name, addresses, object, control };
    if (!sidecar) {
      this.#pods.set(name, running);
      return running;
    }
    const exclusions = { inboundPorts: excludedInboundPorts, outboundPorts: [], outboundCidrs: [] };
    this.#network.rules(enter, redirectRules(exclusions));
    const pod = { ...running, sidecar: this.#runSidecar(name, app, enter, addresses, probes) };
    this.#pods.set(name, pod);
    if (known) await this.configured(name);
    return pod;
  }

  /** Tells the mesh of a pod. */
  introduce({ object }: Pick<RunningPod, "object">): void {
    this.test.set(object);
    this.test.tick();
  }

  /** Resolves when the sidecar says that it has its configuration. */
  async configured(name: string): Promise<void> {
    const pod = this.pod(name);
    const context = (): string => `${this.nacks.join("\n")}\n${pod.sidecar?.words() ?? ""}`;
    await eventually(`${name} is ready`, async () => ((await this.readiness(name)) === 200 ? true : undefined), { context });
  }

  /** The status of its readiness; undefined while nobody answers. */
  async readiness(name: string): Promise<number | undefined> {
    const answer: Partial<HttpAnswer> = await this.call(name, { address: "127.0.0.1", port: SIDECAR_PORTS.readiness, path: "/ready" });
    return answer.status;
  }

  /** Resolves when all sidecars have accepted all that the mesh is now. */
  async synced(): Promise<void> {
    this.test.tick();
    const through = this.#server.sequence;
    await eventually(
      "all sidecars are synced",
      () => {
        const sidecars = [...this.#pods.values()].filter(({ sidecar }) => sidecar !== undefined).length;
        const streams = this.#server.streams().filter(({ synced, ackedThrough }) => synced && ackedThrough >= through);
        return streams.length >= sidecars ? true : undefined;
      },
      { context: () => this.nacks.join("\n") },
    );
    if (this.nacks.length > 0) throw new Error(this.nacks.join("\n"));
  }

  /** Objects as an API server would tell them, in one tick; resolves when they are in force. */
  async apply(...objects: readonly KubernetesObject[]): Promise<void> {
    for (const object of objects) this.test.set(object);
    await this.synced();
  }

  async call(from: string, call: Omit<PodCall, "kind">): Promise<HttpAnswer> {
    return (await ask(this.pod(from).control, { kind: "call", ...call })) as HttpAnswer;
  }

  async talk(from: string, conversation: Omit<PodConversation, "kind">): Promise<Conversation> {
    return (await ask(this.pod(from).control, { kind: "talk", ...conversation })) as Conversation;
  }

  /** The first line of a sidecar's access log that holds these fields. */
  async logged(name: string, fields: LogEntry): Promise<LogEntry> {
    const { sidecar } = this.pod(name);
    if (sidecar === undefined) throw new Error(`${name} has no sidecar`);
    const holds = (line: string): boolean => {
      if (!line.startsWith("{")) return false;
      const entry = JSON.parse(line) as LogEntry;
      return Object.entries(fields).every(([field, value]) => entry[field] === value);
    };
    return JSON.parse(await sidecar.lines.waitFor(holds)) as LogEntry;
  }

  /** A counter or gauge of a sidecar. */
  async stat(name: string, stat: string): Promise<number> {
    const { body } = await this.call(name, {
      address: "127.0.0.1",
      port: SIDECAR_PORTS.admin,
      path: `/stats?filter=^${stat}$`,
      host: "localhost",
    });
    return Number(/: (\d+)/.exec(body)?.[1] ?? "0");
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((process) => process.stop()));
    this.#leaves.close();
    this.#gate?.close();
    await this.#server.stop();
    this.#network.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #runSidecar(name: string, app: string, enter: readonly string[], addresses: PodAddresses, probes: readonly SidecarProbe[]): Process {
    const folder = join(this.#folder, name);
    mkdirSync(folder, { mode: 0o755 });
    const placed = (text: string): string => text.replaceAll(SIDECAR_FOLDER, folder).replaceAll("$(POD_IP)", addresses.ipv4);
    writeFileSync(join(folder, "token"), `${NAMESPACE}/${name}`, { mode: 0o644 });
    writeFileSync(join(folder, "ca.pem"), this.#authority.trust.pem, { mode: 0o644 });
    for (const [file, content] of Object.entries(SIDECAR_FILES)) writeFileSync(join(folder, file), placed(content), { mode: 0o644 });
    const bootstrap = kubernetesBootstrap({
      nodeCluster: `${NAMESPACE}/${app}`,
      controlPlane: CONTROL_PLANE,
      probes,
      podAddress: "$(POD_IP)",
      farewellKey: FAREWELL_KEY,
      ipv6: true,
    });
    const config = placed(JSON.stringify(throughGate(envoyJson(BootstrapSchema, bootstrap), this.#gatePath)));
    writeFileSync(join(folder, "bootstrap.json"), config, { mode: 0o644 });
    return this.#run(`sidecar of ${name}`, [
      ...enter,
      ...["setpriv", `--reuid=${SIDECAR_UID}`, `--regid=${SIDECAR_UID}`, "--clear-groups", "--inh-caps=-all", "--no-new-privs"],
      this.#envoy,
      ...sidecarArguments({ nodeId: `${NAMESPACE}/${name}`, concurrency: 1 }),
      ...["--file-flush-interval-msec", "20", "-c", join(folder, "bootstrap.json")],
    ]);
  }

  #run(what: string, [program = "", ...args]: readonly string[]): Process {
    const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...args], { stdio: ["ignore", "pipe", "pipe"], cwd: "/" });
    const errors: string[] = [];
    const words = (): string => `${what}:\n${errors.slice(-30).join("\n")}`;
    const lines = new Collected<string>(words);
    createInterface({ input: child.stdout }).on("line", (line) => lines.add(line));
    createInterface({ input: child.stderr }).on("line", (line) => errors.push(line));
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const stop = async (): Promise<void> => {
      child.kill("SIGKILL");
      await ended;
    };
    const started = { stop, lines, words };
    this.#processes.push(started);
    return started;
  }
}

/** The control plane's name is not in any DNS here: the same certificate and name, by way of a UNIX socket. */
function throughGate(bootstrap: object, path: string): object {
  const text = JSON.stringify(bootstrap);
  const address = `{"socket_address":{"address":"${CONTROL_PLANE.host}","port_value":${CONTROL_PLANE.port}}}`;
  if (!text.includes(address)) throw new Error("the bootstrap does not name the control plane");
  return JSON.parse(text.replace(address, `{"pipe":{"path":"${path}"}}`).replace('"type":"STRICT_DNS"', '"type":"STATIC"')) as object;
}

function podObject(name: string, app: string, addresses: PodAddresses, sidecar: boolean, excluded: readonly number[]): KubernetesObject {
  const annotations = excluded.length === 0 ? {} : { "seawall.dev/exclude-inbound-ports": excluded.join(",") };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NAMESPACE, labels: { app }, annotations },
    spec: {
      serviceAccountName: app,
      ...(sidecar ? { initContainers: [{ name: "seawall-proxy", restartPolicy: "Always" }] } : {}),
      containers: [{ name: "app" }],
    },
    status: {
      phase: "Running",
      podIP: addresses.ipv4,
      podIPs: [{ ip: addresses.ipv4 }, { ip: addresses.ipv6 }],
      conditions: [{ type: "Ready", status: "True" }],
    },
  } as KubernetesObject;
}

function ask(path: string, asked: PodRequest): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const request = httpRequest({ socketPath: path, method: "POST" }, (response) => {
    let text = "";
    response.on("data", (chunk: Buffer) => (text += chunk.toString()));
    response.on("end", () => resolve(JSON.parse(text)));
  });
  request.on("error", reject);
  request.end(JSON.stringify(asked));
  return promise;
}
