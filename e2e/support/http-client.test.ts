import { describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { type AddressInfo, createConnection } from "node:net";
import { createServer as createTls, type TLSSocket } from "node:tls";
import { CertificateAuthority } from "../../ca/authority.ts";
import { StateFolder } from "../../ca/state-folder.ts";
import { temporaryFolder } from "../../ca/testing/temporary-folder.ts";
import { type ClientTls, headerOf, type HttpAnswer } from "./http-client.ts";
import { Http1Client } from "./http1-client.ts";
import { Http2Client } from "./http2-client.ts";
import { startTcpEcho } from "./tcp-echo.ts";
import { ASK, type ReceivedRequest, startUpstream } from "./upstream.ts";

const echoed = (answer: HttpAnswer): ReceivedRequest => JSON.parse(answer.body) as ReceivedRequest;

describe("the hostile HTTP/1.1 client", () => {
  it("sends odd targets, methods, hosts and repeated headers as they are, on one connection", async () => {
    await using upstream = await startUpstream({ name: "a" });
    using client = new Http1Client(upstream);
    const odd = await client.request({
      method: "PROPFIND",
      path: "//a/../b%2f?x=[y]&x",
      authority: "ODD.example:99.",
      headers: [
        ["X-A", "1"],
        ["x-a", "2"],
      ],
      body: "é",
    });
    expect(echoed(odd)).toEqual({
      upstream: "a",
      protocol: "HTTP/1.1",
      method: "PROPFIND",
      path: "//a/../b%2f?x=[y]&x",
      host: "ODD.example:99.",
      headers: [
        ["host", "ODD.example:99."],
        ["x-a", "1"],
        ["x-a", "2"],
        ["content-length", "2"],
      ],
      body: "é",
    });
    const absolute = await client.request({ method: "GET", path: "http://other.example/x", authority: "a" });
    expect(echoed(absolute).path).toBe("http://other.example/x");
    expect(echoed(await client.exactly("GET /bare HTTP/1.1\r\n\r\n")).host).toBe("");
    const head = await client.request({ method: "HEAD", path: "/", authority: "a" });
    expect([head.status, head.body]).toEqual([200, ""]);
    const refused = await client.request({ method: "GET", path: "/", authority: "a", headers: [[ASK, "status=503;headers=x-b:1"]] });
    expect([refused.status, headerOf(refused, "x-b")]).toEqual([503, "1"]);
  });

  it("reports a close without an answer as status 0, and goes on with a new connection", async () => {
    await using upstream = await startUpstream();
    using client = new Http1Client(upstream);
    const held = client.request({ method: "GET", path: "/", authority: "a", headers: [[ASK, "hold"]] });
    await upstream.received.waitForCount(1);
    expect(upstream.open).toBe(1);
    const { port } = upstream;
    await upstream.stop();
    expect((await held).status).toBe(0);
    await using second = await startUpstream({ port });
    expect((await client.request({ method: "GET", path: "/", authority: "a" })).status).toBe(200);
    expect(second.received.items).toHaveLength(1);
  });
});

describe("the hostile HTTP/2 client", () => {
  it("sends lower-case methods, odd paths and doubled tokens, many at a time", async () => {
    await using upstream = await startUpstream();
    using client = new Http2Client(upstream);
    const answers = await Promise.all(
      ["/a", "//b%2F..?", "/#[x]", "no-slash"].map((path) =>
        client.request({
          method: "get",
          path,
          authority: "Odd..host:1",
          headers: [
            ["authorization", "Bearer a"],
            ["authorization", "Bearer b"],
          ],
        }),
      ),
    );
    expect(answers.slice(0, 3).map((answer) => [echoed(answer).method, echoed(answer).path])).toEqual([
      ["get", "/a"],
      ["get", "//b%2F..?"],
      ["get", "/#[x]"],
    ]);
    // Sent as well, and refused by the server.
    expect(answers[3]!.status).toBe(0);
    expect(echoed(answers[0]!)).toMatchObject({
      protocol: "HTTP/2.0",
      host: "Odd..host:1",
      headers: [
        ["authorization", "Bearer a"],
        ["authorization", "Bearer b"],
      ],
    });
  });

  it("reports a stream that is reset as status 0", async () => {
    await using upstream = await startUpstream();
    using client = new Http2Client(upstream);
    const held = client.request({ method: "GET", path: "/", headers: [[ASK, "hold"]] });
    await upstream.received.waitForCount(1);
    await upstream.stop();
    expect((await held).status).toBe(0);
  });
});

it("shows a client certificate, its ALPN and its own address over TLS", async () => {
  using state = temporaryFolder();
  const authority = new CertificateAuthority({ store: StateFolder.open(state.path, "write"), trustDomain: "cluster.local" });
  const issued = authority.issue({ trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" });
  const identity = { cert: issued.chainPem, key: issued.key.reveal(), ca: authority.trust.pem };
  const server = createTls({ ...identity, requestCert: true, ALPNProtocols: ["mesh"] }, (socket: TLSSocket) => {
    const { subjectaltname: name = "" } = socket.getPeerCertificate();
    const seen = [name, socket.alpnProtocol, socket.authorized, socket.remoteAddress].map(String).join(" ");
    socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${seen.length}\r\n\r\n${seen}`));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const seenFrom = async (localAddress: string, tls: ClientTls): Promise<string> => {
    using client = new Http1Client({ port, localAddress, tls });
    return (await client.request({ method: "GET", path: "/" })).body;
  };
  const alpn = ["mesh"];
  expect(await seenFrom("127.0.0.7", { ...identity, alpn })).toBe("URI:spiffe://cluster.local/ns/shop/sa/web mesh true 127.0.0.7");
  await expect(seenFrom("127.0.0.7", { alpn, ca: "" })).rejects.toThrow();
  server.close();
});

it("streams until the client goes", async () => {
  await using upstream = await startUpstream();
  const abort = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${upstream.port}/`, { headers: { [ASK]: "stream" }, signal: abort.signal });
  let text = "";
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    if (text.includes("tick 2")) break;
  }
  abort.abort();
  expect(text).toMatch(/^tick 0\ntick 1\ntick 2\n/);
});

it("echoes TCP after its greeting", async () => {
  await using echo = await startTcpEcho({ greeting: "hello\n" });
  const socket = createConnection(echo.port, echo.address);
  const [greeting] = (await once(socket, "data")) as [Buffer];
  socket.write("ping");
  const [back] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  expect([greeting.toString(), back.toString()]).toEqual(["hello\n", "ping"]);
});
