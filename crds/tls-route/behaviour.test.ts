/** What a real Envoy makes of the chains: which server name goes where, undecrypted, and by what weights. */
import { beforeAll, describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { type RunningEnvoy, startEnvoy } from "../../e2e/support/envoy.ts";
import { startTcpEcho, type TcpEcho } from "../../e2e/support/tcp-echo.ts";
import { connect as tlsConnect } from "node:tls";
import { applicationCluster } from "../../xds-server/envoy/cluster.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { ClusterSchema } from "../../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import { clusterName } from "../http-route/testing/routing-envoy.ts";
import { shop } from "../http-route/testing/shop.ts";
import { chainedListener } from "../tcp-route/testing/chained-listener.ts";
import { evaluateTlsConnection } from "./evaluate.ts";
import type { TlsRoute } from "./schema.ts";
import { translateTlsPort } from "./translate.ts";

const SEARCH = { namespace: "shop", service: "search", port: 9243 };
const routesIn = (file: string): TlsRoute[] =>
  parseAllDocuments(readFileSync(join(import.meta.dirname, "testdata", file), "utf8")).map((document) => document.toJS() as TlsRoute);
const NAMES = routesIn("names.in.yaml");
const EVERY_NAME = routesIn("every-name.in.yaml");

const upstreams = new Map<string, TcpEcho>();
let named: RunningEnvoy;
let every: RunningEnvoy;

beforeAll(async () => {
  for (const service of ["search", "search-v2"]) upstreams.set(service, await startTcpEcho({ greeting: `${service}\n` }));
  const clusters = [...upstreams].map(([service, { address, port }]) =>
    envoyJson(ClusterSchema, applicationCluster(clusterName({ ...SEARCH, service }), address, port, "tcp")),
  );
  const start = (routes: readonly TlsRoute[]): Promise<RunningEnvoy> => {
    const listener = chainedListener(translateTlsPort(SEARCH, routes, shop, clusterName)) as never;
    return startEnvoy({ config: { static_resources: { listeners: [listener], clusters } } });
  };
  [named, every] = await Promise.all([start(NAMES), start(EVERY_NAME)]);
  await Promise.all([named.waitReady(), every.waitReady()]);
});

/** What a TLS client says first when it asks for the name. */
async function clientHello(serverName: string): Promise<Buffer> {
  const listener = createServer();
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const accepted = once(listener, "connection") as Promise<[Socket]>;
  const client = tlsConnect({ host: "127.0.0.1", port: (listener.address() as AddressInfo).port, servername: serverName });
  client.on("error", () => client.destroy());
  const [socket] = await accepted;
  const [hello] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  client.destroy();
  listener.close();
  return hello;
}

/** The service whose application answers; undefined: the connection was closed before any did. */
async function reached(envoy: RunningEnvoy, serverName: string | undefined): Promise<string | undefined> {
  const hello = serverName === undefined ? "no TLS\n" : await clientHello(serverName);
  const socket = connect(await envoy.listenerPort("outbound"), "127.0.0.1");
  try {
    return await new Promise((resolve) => {
      socket.once("data", (greeting) => resolve(greeting.toString("latin1").split("\n", 1)[0]));
      socket.once("error", () => resolve(undefined));
      socket.once("close", () => resolve(undefined));
      socket.write(hello);
    });
  } finally {
    socket.destroy();
  }
}

function expected(routes: readonly TlsRoute[], serverName: string | undefined): readonly (string | undefined)[] {
  const decision = evaluateTlsConnection(SEARCH, routes, shop, serverName);
  if (decision.kind !== "forward") return [undefined];
  return decision.rule.shares.map(({ backend }) => (backend.kind === "resolved" ? backend.port.service : undefined));
}

describe("TLS connections in a real Envoy", () => {
  it.each([
    ["search.shop.example", "search"],
    ["SEARCH.shop.example", "search"],
    ["www.shop.example", "search-v2"],
    ["a.shop.example", "search"],
    ["a.b.shop.example", "search"],
    ["a.eu.shop.example", "search-v2"],
    ["eu.shop.example", "search"],
    ["shop.example", undefined],
    ["other.example", undefined],
    [undefined, undefined],
  ])("to %s go to %s", async (serverName, service) => {
    expect(expected(NAMES, serverName)).toEqual([service]);
    expect(await reached(named, serverName)).toBe(service);
  });

  it("go by weight where a route takes every name, and are closed where the backend is gone", async () => {
    const seen = new Map<string | undefined, number>();
    for (let index = 0; index < 200; index++) {
      const service = await reached(every, index % 2 === 0 ? `n${index}.example` : undefined);
      seen.set(service, (seen.get(service) ?? 0) + 1);
    }
    expect([...seen.keys()].sort()).toEqual([...expected(EVERY_NAME, "any.example")].sort());
    // Of 200 at 10 percent: five standard deviations.
    expect(Math.abs((seen.get("search-v2") ?? 0) - 20)).toBeLessThanOrEqual(21);
    expect(expected(EVERY_NAME, "gone.shop.example")).toEqual([undefined]);
    expect(await reached(every, "gone.shop.example")).toBeUndefined();
  });
});
