import { describe, expect, it } from "@jest/globals";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { until } from "../../e2e/support/eventually.ts";
import { DeltaServer } from "./delta-server.ts";
import { DeltaServerError } from "./delta-server-error.ts";
import { TYPE_URL } from "./resource-types.ts";
import { FakeClock } from "./testing/fake-clock.ts";
import { TestAuthority } from "./testing/test-authority.ts";
import { resource } from "./testing/test-feed.ts";
import { TestServer } from "./testing/test-server.ts";

const authority = new TestAuthority();
const tls = (): { kind: "tls"; certificate: ReturnType<TestAuthority["certificate"]> } => ({
  kind: "tls",
  certificate: authority.certificate(),
});

function dial(port: number, options: ConnectionOptions = {}): TLSSocket {
  return connectTls({ host: "127.0.0.1", port, ca: authority.root, servername: "localhost", ALPNProtocols: ["h2"], ...options });
}

async function outcome(socket: TLSSocket): Promise<string> {
  const connected = once(socket, "secureConnect").then(() => "connected");
  const outcome = await connected.catch((error: unknown) => (error as Error).message);
  socket.destroy();
  return outcome;
}

async function closed(socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
}

describe("TLS", () => {
  it("agrees on the hybrid post-quantum group when the client can, whatever the client prefers", async () => {
    await using test = await TestServer.start({}, tls(), authority.root);
    const group = async (groups: string): Promise<string> => {
      const socket = dial(test.target.port, { ecdhCurve: groups });
      // Not in the types: the group's name, in TLS 1.3.
      const named = await once(socket, "secureConnect").then(() => socket.getEphemeralKeyInfo() as { name?: string } | null);
      socket.destroy();
      return named?.name ?? "unnamed";
    };
    expect(await group("X25519:P-256")).toBe("X25519");
    expect(await group("P-256")).toBe("prime256v1");
    expect(await group("X25519MLKEM768:X25519:P-256")).toBe("X25519MLKEM768");
    expect(await group("P-256:X25519:X25519MLKEM768")).toBe("X25519MLKEM768");
    expect(await outcome(dial(test.target.port, { ecdhCurve: "P-384" }))).toMatch(/handshake failure/);
  });

  it("is 1.3 and nothing older", async () => {
    await using test = await TestServer.start({}, tls(), authority.root);
    expect(await outcome(dial(test.target.port, { maxVersion: "TLSv1.2" }))).toMatch(/protocol version/);
    await test.heard("refused tls-handshake");
  });

  it("carries streams, and shows another certificate to new connections once it is replaced", async () => {
    await using test = await TestServer.start({}, tls(), authority.root);
    test.admit("t", "shop/web");
    test.share([resource("cluster", "a")], "shop/web");
    const before = await test.connect();
    const stream = before.open("t");
    stream.subscribe(TYPE_URL.cluster);
    await stream.take();
    const next = authority.certificate();
    test.server.replaceCertificate(next);
    const after = await test.connect();
    const serial = (client: typeof after): string => client.tlsSocket.getPeerCertificate().serialNumber;
    expect(serial(after)).toBe(new X509Certificate(next.chain).serialNumber);
    expect(serial(before)).not.toBe(serial(after));
    test.share([resource("cluster", "a", "2")], "shop/web");
    expect((await stream.take()).names).toEqual(["a"]);
  });

  it("keeps its certificate when the new one is unusable", async () => {
    await using test = await TestServer.start({}, tls(), authority.root);
    const mixed = { chain: authority.certificate().chain, privateKey: authority.certificate().privateKey };
    expect(() => test.server.replaceCertificate(mixed)).toThrow(expect.objectContaining({ code: "CertificateInvalid" }));
    await test.connect();
  });
});

describe("a client that speaks no xDS", () => {
  const strangers: readonly [string, (port: number) => Socket, string][] = [
    [
      "random bytes",
      (port) =>
        connectPlain(port, "127.0.0.1").on("connect", function (this: Socket) {
          this.write(Buffer.alloc(5000, 0xa5));
        }),
      "tls-handshake",
    ],
    [
      "plain HTTP",
      (port) =>
        connectPlain(port, "127.0.0.1").on("connect", function (this: Socket) {
          this.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        }),
      "tls-handshake",
    ],
    ["HTTP/1.1 over TLS", (port) => dial(port, { ALPNProtocols: ["http/1.1"] }), "tls-handshake"],
    ["no ALPN", (port) => connectTls({ host: "127.0.0.1", port, ca: authority.root, servername: "localhost" }), "not-xds"],
    [
      "random bytes over TLS",
      (port) =>
        dial(port).on("secureConnect", function (this: Socket) {
          this.write(Buffer.alloc(5000, 0xa5));
        }),
      "not-xds",
    ],
    [
      "a port scan",
      (port) =>
        connectPlain(port, "127.0.0.1").on("connect", function (this: Socket) {
          this.end();
        }),
      "tls-handshake",
    ],
  ];

  it.each(strangers)("is closed, counted and told of in one line: %s", async (_what, stranger, reason) => {
    await using test = await TestServer.start({}, tls(), authority.root);
    test.admit("t", "shop/web");
    test.share([resource("cluster", "a")], "shop/web");
    const stream = (await test.connect()).open("t");
    stream.subscribe(TYPE_URL.cluster);
    await stream.take();
    for (let count = 0; count < 3; count++) await closed(stranger(test.target.port));
    await test.heard(`refused ${reason}`, 3);
    expect(test.lines).toHaveLength(1);
    expect(test.lines[0]).toMatch(/^xDS: .*(127\.0\.0\.1:\d+|a client that has left).*$/);
    test.share([resource("cluster", "a", "2")], "shop/web");
    expect((await stream.take()).names).toEqual(["a"]);
  });

  it("is closed when it says nothing at all before TLS", async () => {
    await using test = await TestServer.start({ handshakeTimeoutMs: 200 }, tls(), authority.root);
    await closed(connectPlain(test.target.port, "127.0.0.1"));
    await test.heard("refused tls-handshake");
  });

  it("is closed when it says nothing at all after TLS", async () => {
    const clock = new FakeClock();
    const patience = 3_600_000;
    await using test = await TestServer.start({ clock, handshakeTimeoutMs: patience }, tls(), authority.root);
    const idle = dial(test.target.port);
    await once(idle, "secureConnect");
    await until("the server waits for a word", () => clock.pending > 0);
    clock.advance(patience);
    await closed(idle);
    await test.heard("refused not-xds");
  });

  it("is not one that calls another method: that is told so", async () => {
    await using test = await TestServer.start();
    const socket = connectPlain(test.target.port, "127.0.0.1");
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    socket.write(Buffer.from([0, 0, 0, 9, 0, 0, 0, 0, 0]));
    await closed(socket);
    await test.heard("refused not-xds");
  });
});

describe("listening", () => {
  const listen = (host: string, port: number, security: Parameters<DeltaServer["listen"]>[0]["security"]): Promise<unknown> =>
    new DeltaServer({ authenticator: { authenticate: () => Promise.reject(new Error("nobody")) } }).listen({ host, port, security });

  it.each(["0.0.0.0", "::", "192.0.2.1", "localhost", "127.0.0.1.example"])("refuses plaintext on %s", async (host) => {
    await expect(listen(host, 0, { kind: "insecure" })).rejects.toThrow(expect.objectContaining({ code: "InsecureNotLoopback" }));
    await expect(listen(host, 0, { kind: "insecure" })).rejects.toThrow(/plaintext/);
  });

  it("says which port is in use, and what to do", async () => {
    await using test = await TestServer.start();
    const { port } = test.target;
    const failure: unknown = await listen("127.0.0.1", port, tls()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DeltaServerError);
    expect(failure).toMatchObject({ code: "AddressInUse", cause: { code: "EADDRINUSE" } });
    expect((failure as Error).message).toBe(
      `port ${port} on 127.0.0.1 is in use, perhaps by another Seawall. Stop that process (ss -ltnp 'sport = :${port}' names it) or choose another port.`,
    );
  });

  it("says that an address is not this machine's", async () => {
    await expect(listen("192.0.2.1", 0, tls())).rejects.toThrow(expect.objectContaining({ code: "AddressNotAvailable" }));
  });

  it("refuses a key that is not the certificate's", async () => {
    const certificate = { chain: authority.certificate().chain, privateKey: authority.certificate().privateKey };
    await expect(listen("127.0.0.1", 0, { kind: "tls", certificate })).rejects.toThrow(
      expect.objectContaining({ code: "CertificateInvalid" }),
    );
  });
});
