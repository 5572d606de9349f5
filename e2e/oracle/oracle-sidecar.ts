/** The real Envoy of the oracle: configured by the oracle's mesh over its real xDS server, asked by hostile clients. */
import { writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Identity } from "../../crds/core/request.ts";
import { sidecarBootstrap } from "../../xds-server/envoy/bootstrap.ts";
import { tokenSecretFile } from "../../xds-server/envoy/control-plane-cluster.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { BootstrapSchema } from "../../xds-server/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { type RunningEnvoy, startEnvoy } from "../support/envoy.ts";
import { type ClientTls, type HostileRequest, type HttpAnswer, NO_ANSWER } from "../support/http-client.ts";
import { Http1Client, http1Bytes } from "../support/http1-client.ts";
import { Http2Client } from "../support/http2-client.ts";
import { MESH_ALPN } from "../../xds-server/envoy/tls.ts";
import { type OracleApplication, startOracleApplication } from "./oracle-application.ts";
import { OracleMesh, PORTS, SUBSCRIBER, XDS_TOKEN } from "./oracle-mesh.ts";
import type { OracleRequest } from "./oracle-request.ts";
import { TokenMint } from "./token-presentation.ts";

/** A line of the sidecar's access log, as far as the oracle reads it. */
export interface LogLine {
  readonly requestId?: string;
  readonly status?: number;
  readonly verdict?: string;
  readonly policy?: string;
  readonly details?: string;
  readonly route?: string;
  readonly audit?: { readonly verdict?: string; readonly policy?: string };
}

/** What became of a request. */
export interface Observation {
  /** 0: closed without an answer. `unsendable`: our own client would not frame it. */
  readonly status: number | "unsendable";
  /** The application got it. */
  readonly reached: boolean;
  /** Absent where Envoy could not read the request's headers. */
  readonly log: LogLine | undefined;
}

/** From whom a request comes, and to which port. */
export type Way = Pick<OracleRequest, "version" | "identity" | "peerAddress"> & { readonly port: number };

export interface SentRequest {
  readonly id: string;
  readonly way: Way;
  /** Carries its id as `x-request-id`. */
  readonly request: HostileRequest;
}

type Client = Http1Client | Http2Client;

export class OracleSidecar {
  readonly mesh: OracleMesh;
  readonly envoy: RunningEnvoy;
  readonly #address: string;
  readonly #application: OracleApplication;
  readonly #clients = new Map<string, { readonly client: Client; turn: Promise<unknown> }>();
  #ids = 0;

  private constructor(mesh: OracleMesh, envoy: RunningEnvoy, address: string, application: OracleApplication) {
    this.mesh = mesh;
    this.envoy = envoy;
    this.#address = address;
    this.#application = application;
  }

  static async start(): Promise<OracleSidecar> {
    const [mint, application, address] = await Promise.all([TokenMint.open(), startOracleApplication(), freeAddress()]);
    const mesh = new OracleMesh(mint, address, application.port);
    await mesh.listen();
    const tokenFile = join(mesh.folder, "token.json");
    const caFile = join(mesh.folder, "trust.pem");
    await writeFile(tokenFile, JSON.stringify(tokenSecretFile(XDS_TOKEN)));
    await writeFile(caFile, mesh.authority.trust.pem);
    const bootstrap = sidecarBootstrap({
      nodeId: SUBSCRIBER,
      nodeCluster: "shop",
      adminSocket: join(mesh.folder, "admin.sock"),
      controlPlane: { host: "127.0.0.1", port: mesh.xdsPort },
      trust: { kind: "tls", serverName: "localhost", caFile },
      tokenFile,
      tokenFolder: mesh.folder,
    });
    // The test asks over TCP instead of the sidecar's socket; everything else is what a sidecar starts with.
    const { admin, ...config } = envoyJson(BootstrapSchema, bootstrap);
    if (admin === undefined) throw new Error("the bootstrap has no admin socket");
    const envoy = await startEnvoy({ config });
    await envoy.waitReady();
    await mesh.acknowledged();
    return new OracleSidecar(mesh, envoy, address, application);
  }

  nextId(): string {
    return `oracle-${++this.#ids}`;
  }

  /** Sends requests, as many at a time as there are connections, and waits until the log has told of all of them. */
  async ask(requests: readonly SentRequest[]): Promise<readonly Observation[]> {
    const statuses = await Promise.all(requests.map((sent) => this.#send(sent)));
    const last: SentRequest = {
      id: this.nextId(),
      way: { version: 1, identity: undefined, peerAddress: "127.0.0.1", port: PORTS.http },
      request: { method: "GET", path: "/the-last-one", authority: "oracle" },
    };
    await this.#send({ ...last, request: { ...last.request, headers: [["x-request-id", last.id]] } });
    // One worker writes the log in the order in which requests end: when the last is told, all are.
    const { stdoutLines } = this.envoy;
    await stdoutLines.waitFor((line) => line.includes(`"${last.id}"`));
    const lines = new Map(
      stdoutLines.items.map((line) => {
        const parsed = JSON.parse(line) as LogLine;
        return [parsed.requestId, parsed];
      }),
    );
    stdoutLines.clear();
    return requests.map(({ id }, index) => ({
      status: statuses[index] ?? 0,
      reached: this.#application.received.has(id),
      log: lines.get(id),
    }));
  }

  /** Over HTTP/2 Envoy may end the connection because of one request, so another is not sent before its answer is there. */
  async #send({ way, request }: SentRequest): Promise<number | "unsendable"> {
    const key = JSON.stringify(way);
    const slot = this.#clients.get(key) ?? { client: this.#connect(way), turn: Promise.resolve() };
    this.#clients.set(key, slot);
    const exchange = async (): Promise<number | "unsendable"> => {
      let answer: HttpAnswer;
      try {
        answer = await send(slot.client, request);
        // The connection may have been on its end because of an earlier request.
        if (answer === NO_ANSWER) answer = await send(slot.client, request);
      } catch (error) {
        if (error instanceof TypeError) return "unsendable";
        throw error;
      }
      return answer.status;
    };
    const turn = slot.turn.then(exchange);
    slot.turn = turn.catch(() => undefined);
    return turn;
  }

  #connect({ version, identity, peerAddress, port }: Way): Client {
    const tls = identity === undefined ? undefined : this.#tlsOf(identity, version);
    const server = { address: this.#address, port, localAddress: peerAddress, ...(tls === undefined ? {} : { tls }) };
    return version === 1 ? new Http1Client(server) : new Http2Client(server);
  }

  #tlsOf(identity: Identity, version: 1 | 2): ClientTls {
    const { chainPem, key } = this.mesh.authority.issue(identity);
    return {
      ca: this.mesh.authority.trust.pem,
      cert: chainPem,
      key: key.reveal(),
      alpn: [MESH_ALPN, version === 1 ? "http/1.1" : "h2"],
    };
  }
}

/** A character is a byte, as over HTTP/2: what is no ASCII arrives as bytes that are no UTF-8. */
function send(client: Client, request: HostileRequest): Promise<HttpAnswer> {
  if (client instanceof Http2Client) return client.request(request);
  return client.exactly(Buffer.from(http1Bytes(request).toString(), "latin1"), request.method === "HEAD");
}

/** A loopback address of the test's own, on which the workload's ports are free. */
async function freeAddress(): Promise<string> {
  for (;;) {
    const part = (): number => 1 + Math.floor(Math.random() * 250);
    const address = `127.${20 + Math.floor(Math.random() * 200)}.${part()}.${part()}`;
    const servers = Object.values(PORTS).map((port) => createServer().listen(port, address));
    const results = await Promise.all(
      servers.map((server) =>
        once(server, "listening").then(
          () => true,
          () => false,
        ),
      ),
    );
    for (const server of servers) if (server.listening) await new Promise((resolve) => server.close(resolve));
    if (results.every(Boolean)) return address;
  }
}
