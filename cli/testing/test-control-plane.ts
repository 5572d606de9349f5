/** A control plane for the tests of the sidecar alone: the real delta server, real tokens, hand-written resources. */
import { fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CertificateAuthority } from "../../ca/authority.ts";
import type { Clock } from "../../ca/clock.ts";
import { createJoinToken, JoinTokenKey } from "../../ca/join-token.ts";
import { StateFolder } from "../../ca/state-folder.ts";
import { TokenAuthenticator } from "../../ca/token-authenticator.ts";
import { endWithTests } from "../../e2e/support/endings.ts";
import { timeAgo } from "../../e2e/support/movable-clock.ts";
import { DeltaServer, type GrpcService } from "../../xds-server/delta/delta-server.ts";
import { encodeResource } from "../../xds-server/delta/encoding.ts";
import type { EncodedResource } from "../../xds-server/delta/feed.ts";
import { TYPE_URL } from "../../xds-server/delta/resource-types.ts";
import { registry } from "../../xds-server/envoy/registry.ts";
import { ClusterSchema } from "../../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ListenerSchema } from "../../xds-server/gen/envoy/config/listener/v3/listener_pb.js";

export interface TestControlPlane extends AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly caFile: string;
  readonly authority: CertificateAuthority;
  /** How often a token was renewed. */
  readonly renewals: () => number;
  /** The listeners that a sidecar refuses for good, after what is refused together was tried apart. */
  refusedListeners(): readonly string[];
  /** When, by its clock, the streams that are open now were opened. */
  opened(): readonly number[];
  /** Writes a token for a pod, which need not exist, to a file of its own and returns the path. It was made so long ago. */
  writeToken(pod: string, ttlMs?: number, ageMs?: number): Promise<string>;
  stop(): Promise<void>;
}

/** Serves `shop/web` one HTTP port, which leads to `upstreamPort`, and the outbound listeners that are named. */
export async function startTestControlPlane(options: {
  readonly inbound: { readonly address: string; readonly port: number };
  readonly upstreamPort: number;
  readonly outbound?: Readonly<Record<string, number>>;
  /** By which tokens run out, and the streams that were opened with them. */
  readonly clock?: Clock;
}): Promise<TestControlPlane> {
  const byClock = options.clock === undefined ? {} : { clock: options.clock };
  const folder = await mkdtemp(join(tmpdir(), "seawall-test-"));
  const state = join(folder, "state");
  const stateFolder = StateFolder.open(state, "write");
  const authority = new CertificateAuthority({ store: stateFolder, trustDomain: "cluster.local" });
  const caFile = join(folder, "trust.pem");
  await writeFile(caFile, authority.trust.pem);
  const issued = authority.issue({ trustDomain: "cluster.local", namespace: "seawall", serviceAccount: "control-plane" }, ["localhost"]);
  const tokens = new TokenAuthenticator({
    key: JoinTokenKey.open(stateFolder),
    ...byClock,
    findPod: (namespace, pod) => (`${namespace}/${pod}` === "shop/web" ? {} : undefined),
  });
  let renewals = 0;
  const service = renewService(async (token) => {
    const fresh = await tokens.renew(token);
    renewals += 1;
    return fresh;
  });
  const server = new DeltaServer({ ...byClock, authenticator: tokens, services: [service] });
  server.apply({
    resources: new Map(resources(options).map((resource) => [`${resource.typeUrl} ${resource.name}`, resource])),
    layers: new Map([["web", { key: "web", resources: new Set(resources(options).map(({ typeUrl, name }) => `${typeUrl} ${name}`)) }]]),
    subscribers: new Map([["shop/web", { key: "shop/web", layers: ["web"] }]]),
  });
  const certificate = { chain: issued.chainPem, privateKey: issued.key.reveal() };
  const { port } = await server.listen({ host: "127.0.0.1", port: 0, security: { kind: "tls", certificate } });
  const stop = async (): Promise<void> => {
    forget();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const forget = endWithTests(stop);
  let files = 0;
  return {
    folder,
    port,
    caFile,
    authority,
    renewals: () => renewals,
    refusedListeners: () =>
      server
        .streams()
        .flatMap(({ types }) => types)
        .filter(({ typeUrl, outstandingSince }) => typeUrl === TYPE_URL.listener && outstandingSince === undefined)
        .flatMap(({ rejected }) => rejected),
    opened: () => server.streams().map(({ connectedAt }) => connectedAt),
    async writeToken(pod, ttlMs = 3_600_000, ageMs = 0) {
      const [namespace = "", name = ""] = pod.split("/");
      const { token } = await createJoinToken(state, { namespace, pod: name, ttl: ttlMs }, { clock: timeAgo(ageMs) });
      const file = join(folder, `token-${++files}`);
      await writeFile(file, token, { mode: 0o600 });
      return file;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function renewService(renew: (token: string) => Promise<{ readonly token: string; readonly expiresAt: number }>): GrpcService {
  const asIs = (bytes: Buffer): Buffer => bytes;
  return {
    definition: {
      renew: {
        path: "/seawall.v1.Tokens/Renew",
        requestStream: false,
        responseStream: false,
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      },
    },
    implementation: {
      renew: (
        call: { readonly metadata: { get(name: string): unknown[] } },
        answer: (error: { code: number; details: string } | null, body?: Buffer) => void,
      ): void => {
        const token = String(call.metadata.get("authorization")[0]).replace(/^Bearer /, "");
        renew(token).then(
          (fresh) => answer(null, Buffer.from(JSON.stringify(fresh))),
          (error: unknown) => answer({ code: status.UNAUTHENTICATED, details: String(error) }),
        );
      },
    },
  };
}

function resources({ inbound, upstreamPort, outbound = {} }: Parameters<typeof startTestControlPlane>[0]): readonly EncodedResource[] {
  const cluster = `inbound/${inbound.port}`;
  return [
    encodeResource(
      TYPE_URL.cluster,
      cluster,
      toBinary(
        ClusterSchema,
        fromJson(ClusterSchema, {
          name: cluster,
          type: "STATIC",
          load_assignment: {
            cluster_name: cluster,
            endpoints: [{ lb_endpoints: [{ endpoint: { address: at("127.0.0.1", upstreamPort) } }] }],
          },
        }),
      ),
    ),
    listener(cluster, inbound.address, inbound.port, cluster),
    ...Object.entries(outbound).map(([name, port]) => listener(name, inbound.address, port, cluster)),
  ];
}

function listener(name: string, address: string, port: number, cluster: string): EncodedResource {
  const type = (message: string): string => `type.googleapis.com/envoy.extensions.${message}`;
  const accessLog = {
    name: "stdout",
    typed_config: {
      "@type": type("access_loggers.stream.v3.StdoutAccessLog"),
      log_format: { json_format: { path: "%REQ(:PATH)%", status: "%RESPONSE_CODE%" } },
    },
  };
  const json: JsonObject = {
    name,
    address: at(address, port),
    enable_reuse_port: false,
    filter_chains: [
      {
        filters: [
          {
            name: "http",
            typed_config: {
              "@type": type("filters.network.http_connection_manager.v3.HttpConnectionManager"),
              stat_prefix: name.replaceAll("/", "_"),
              access_log: [accessLog],
              route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster } }] }] },
              http_filters: [{ name: "router", typed_config: { "@type": type("filters.http.router.v3.Router") } }],
            },
          },
        ],
      },
    ],
  };
  return encodeResource(TYPE_URL.listener, name, toBinary(ListenerSchema, fromJson(ListenerSchema, json, { registry })));
}

function at(address: string, port: number): JsonObject {
  return { socket_address: { address, port_value: port } };
}
