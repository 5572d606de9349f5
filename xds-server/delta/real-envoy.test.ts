import { describe, expect, it } from "@jest/globals";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { type RunningEnvoy, startEnvoy } from "../../e2e/support/envoy.ts";
import type { DeltaServerOptions } from "./delta-server.ts";
import type { EncodedResource, PrivateResources } from "./feed.ts";
import { TYPE_URL } from "./resource-types.ts";
import { envoyBootstrap } from "./testing/envoy-bootstrap.ts";
import { envoyCertificate, envoyCluster, envoyEndpoints, envoyListener, envoyRoute } from "./testing/envoy-resources.ts";
import { FakeClock } from "./testing/fake-clock.ts";
import { TestAuthority } from "./testing/test-authority.ts";
import { TestServer } from "./testing/test-server.ts";

const authority = new TestAuthority();
const WEB = "shop/web";
const TOKEN = "web's-token";

function controlPlane(options: Partial<DeltaServerOptions> = {}, port = 0): Promise<TestServer> {
  return TestServer.start(options, { kind: "tls", certificate: authority.certificate() }, authority.root, port);
}

/** An Envoy that knows only where the control plane is, which root to trust and where its token lies. */
async function sidecar(port: number): Promise<RunningEnvoy & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), "seawall-delta-"));
  const config = await envoyBootstrap({ folder, token: TOKEN, port, root: authority.root, nodeId: "shop/somebody-else" });
  const envoy = await startEnvoy({ config });
  const dispose = envoy[Symbol.asyncDispose].bind(envoy);
  envoy[Symbol.asyncDispose] = async (): Promise<void> => {
    await dispose();
    rmSync(folder, { recursive: true, force: true });
  };
  return envoy;
}

/** An application that answers with its name. */
async function application(name: string): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer((_request, response) => response.end(name));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const dispose = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: dispose };
}

async function answer(envoy: RunningEnvoy, path = "/"): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${await envoy.listenerPort("in")}${path}`);
  return `${response.status} ${await response.text()}`;
}

describe("a real Envoy", () => {
  it("is configured over TLS with its token, follows updates in order, and keeps the last good of what it refuses", async () => {
    await using one = await application("one");
    await using two = await application("two");
    await using test = await controlPlane();
    test.admit(TOKEN, WEB);
    await using envoy = await sidecar(test.target.port);
    await test.heard(`connected ${WEB}`);

    const to = (...resources: readonly EncodedResource[]): number =>
      test.share([envoyListener("in", "routes"), ...resources], WEB).sequence;
    const clusters = (name: string, { port }: { readonly port: number }): EncodedResource[] => [
      envoyCluster(name),
      envoyEndpoints(name, port),
    ];
    to(...clusters("one", one), envoyRoute("routes", "one"));
    await envoy.waitReady();
    expect(await answer(envoy)).toBe("200 one");
    expect(test.server.streams()).toMatchObject([
      { subscriber: WEB, node: { id: "shop/somebody-else", version: "envoy 1.40.0" }, synced: true },
    ]);
    expect((await envoy.stats("^cluster\\.xds\\.ssl\\.curves")).get("cluster.xds.ssl.curves.X25519MLKEM768")).toBe(1);

    // The route names a cluster that is new: no request may meet a route without its cluster.
    const moved = to(...clusters("one", one), ...clusters("two", two), envoyRoute("routes", "two"));
    await test.heard(`acknowledged ${WEB} ${moved}`);
    expect(await answer(envoy)).toBe("200 two");

    // A cluster that is updated must become active again although its endpoints are the same.
    const warmed = to(...clusters("one", one), envoyCluster("two", 7), envoyEndpoints("two", two.port), envoyRoute("routes", "two"));
    await test.heard(`acknowledged ${WEB} ${warmed}`);
    expect((await envoy.stats("cluster_modified|warming_clusters")).get("cluster_manager.cluster_modified")).toBe(1);
    expect(await answer(envoy)).toBe("200 two");

    // Of two routes in one response one is bad: it is found, the other arrives, and traffic goes on as before.
    const second = [envoyListener("other", "other")];
    to(...second, envoyRoute("other", "one"), ...clusters("one", one), ...clusters("two", two), envoyRoute("routes", "two"));
    await envoy.listenerPort("other");
    const bad = to(
      ...second,
      envoyRoute("other", "two"),
      ...clusters("one", one),
      ...clusters("two", two),
      envoyRoute("routes", "one", "("),
    );
    await test.heard(`acknowledged ${WEB} ${bad}`);
    expect(test.events).toContain(`nack ${WEB} routes missing ): (`);
    expect(await answer(envoy)).toBe("200 two");
    const routes = test.server.streams()[0]!.types.find(({ typeUrl }) => typeUrl === TYPE_URL.route);
    expect(routes).toMatchObject({ rejected: ["routes"], lastNack: { names: ["routes"], message: "missing ): (", narrowing: false } });
    expect(await (await fetch(`http://127.0.0.1:${await envoy.listenerPort("other")}/`)).text()).toBe("two");

    const mended = to(...second, envoyRoute("other", "two"), ...clusters("one", one), ...clusters("two", two), envoyRoute("routes", "one"));
    await test.heard(`acknowledged ${WEB} ${mended}`);
    expect(await answer(envoy)).toBe("200 one");

    // What nothing refers to any more goes, and the sidecar is left with exactly what is in its view.
    const left = to(...clusters("one", one), envoyRoute("routes", "one"));
    await test.heard(`acknowledged ${WEB} ${left}`);
    expect((await envoy.stats("active_clusters|total_listeners_active")).get("cluster_manager.active_clusters")).toBe(2);
    expect(await answer(envoy)).toBe("200 one");
    expect(envoy.stderr()).not.toMatch(/\[(error|critical)\]/);
  });

  it("that reconnects to a new server with the same content is sent no resource", async () => {
    await using one = await application("one");
    const before = await controlPlane();
    before.admit(TOKEN, WEB);
    const content = [envoyListener("in", "routes"), envoyCluster("one"), envoyEndpoints("one", one.port), envoyRoute("routes", "one")];
    before.share(content, WEB);
    await using envoy = await sidecar(before.target.port);
    await envoy.waitReady();
    await before.heard(`acknowledged ${WEB} 1`);
    expect(before.pushes.map(({ resources }) => resources)).toEqual([1, 1, 1, 1]);
    await before.server.stop();
    expect(await answer(envoy)).toBe("200 one");

    await using after = await controlPlane({}, before.target.port);
    after.admit(TOKEN, WEB);
    await after.heard(`connected ${WEB}`);
    expect(await answer(envoy)).toBe("200 one");
    after.share(content, WEB);
    await after.heard(`acknowledged ${WEB} 1`);
    // Two empty answers to the wildcards, and nothing else.
    expect(after.pushes.map(({ typeUrl, resources, removed }) => [typeUrl, resources, removed])).toEqual([
      [TYPE_URL.cluster, 0, 0],
      [TYPE_URL.listener, 0, 0],
    ]);
    expect((await envoy.stats("(cluster|listener)_(added|modified|removed)$")).get("listener_manager.listener_modified")).toBe(0);

    // It still listens to the new one.
    after.share([...content.slice(0, 3), envoyRoute("routes", "one", "/still-here")], WEB);
    await after.heard(`acknowledged ${WEB} 2`);
    expect(await answer(envoy, "/elsewhere")).toBe("404 ");
    expect(await answer(envoy, "/still-here")).toBe("200 one");
  });

  it("comes back with a fresh token when its stream is closed because the old one nears its end", async () => {
    const clock = new FakeClock();
    await using test = await controlPlane({ clock, random: () => 0.999 });
    test.admit(TOKEN, WEB, 1_000_000, clock.now());
    test.share([envoyCluster("one"), envoyEndpoints("one", 9)], WEB);
    await using envoy = await sidecar(test.target.port);
    await envoy.waitReady();
    await test.heard(`acknowledged ${WEB} 1`);
    clock.advance(950_000);
    await test.heard(`connected ${WEB}`, 2);
    expect(test.events.filter((event) => event.startsWith("disconnected"))).toEqual([`disconnected ${WEB} token-expiring`]);
    test.share([envoyCluster("one", 3), envoyEndpoints("one", 9)], WEB);
    await test.heard(`acknowledged ${WEB} 2`);
    expect(envoy.stderr()).not.toMatch(/gRPC config stream/);
  });

  it("becomes ready with nothing in its view, and is not kept waiting for what does not exist", async () => {
    await using test = await controlPlane();
    test.admit(TOKEN, WEB);
    test.share([], WEB);
    await using envoy = await sidecar(test.target.port);
    await envoy.waitReady();
    const { sequence } = test.share([envoyCluster("without-endpoints")], WEB);
    await test.heard(`acknowledged ${WEB} ${sequence}`);
    expect((await envoy.stats("warming_clusters")).get("cluster_manager.warming_clusters")).toBe(0);
  });

  it("serves with its private certificate, and with the next one as soon as that is sent", async () => {
    const certificates = [authority.certificate(), authority.certificate()];
    const [first, second] = certificates.map((certificate) => envoyCertificate("identity", certificate));
    let send: ((resource: EncodedResource) => void) | undefined;
    const issuer: PrivateResources = {
      typeUrl: TYPE_URL.secret,
      handles: (name) => name === "identity",
      open: (_subscriber, _name, _knownVersion, sendTo) => {
        send = sendTo;
        sendTo(first!);
        return { close: () => undefined };
      },
    };
    await using test = await controlPlane({ privateResources: [issuer] });
    test.admit(TOKEN, WEB);
    test.share([envoyListener("in", "routes", "identity"), envoyRoute("routes", "nowhere")], WEB);
    await using envoy = await sidecar(test.target.port);
    await envoy.waitReady();
    const port = await envoy.listenerPort("in");
    const served = async (): Promise<string> => {
      const socket = connectTls({ host: "127.0.0.1", port, ca: authority.root, servername: "localhost" });
      await once(socket, "secureConnect");
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const serials = certificates.map(({ chain }) => new X509Certificate(chain).serialNumber);
    expect(await served()).toBe(serials[0]);
    send!(second!);
    await envoy.waitForStats("sds.identity.update_success", (stats) => stats.get("sds.identity.update_success") === 2);
    expect(await served()).toBe(serials[1]);
  });
});
