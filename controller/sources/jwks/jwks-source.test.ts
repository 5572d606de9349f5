import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { CertificateAuthority } from "../../../ca/authority.ts";
import { StateFolder } from "../../../ca/state-folder.ts";
import { PATIENCE_MS, within } from "../../../e2e/support/eventually.ts";
import { parseJwks } from "../../../crds/core/jwks.ts";
import { jwksFileStore } from "./file-store.ts";
import { type FetchedJwks, type JwksClock, type JwksSink, JwksSource, type JwksSourceOptions } from "./jwks-source.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

function keySet(kid: string): string {
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  return JSON.stringify({ keys: [{ ...key, kid, use: "sig" }] });
}

function canonical(set: string): string {
  const parsed = parseJwks(set);
  if ("error" in parsed) throw new Error(parsed.error);
  return parsed.keys;
}

/** Time stands still; `planned` tells of the next attempt that was planned, and `pass` lets its time come. */
class StandingClock implements JwksClock {
  time = Date.UTC(2026, 10, 21);
  readonly #plans: { readonly wait: number; readonly call: () => void; cancelled: boolean }[] = [];
  #told: (() => void) | undefined;

  now(): number {
    return this.time;
  }

  after(wait: number, call: () => void): () => void {
    const plan = { wait, call, cancelled: false };
    this.#plans.push(plan);
    this.#told?.();
    return () => (plan.cancelled = true);
  }

  /** Milliseconds until the one attempt that is planned, once it is. */
  async planned(): Promise<number> {
    if (this.#plans.length === 0) {
      const coming = new Promise<void>((resolve) => (this.#told = resolve));
      await within("the next attempt is planned", coming);
    }
    expect(this.#plans).toHaveLength(1);
    return this.#plans[0]!.wait;
  }

  /** Lets the planned attempt begin. False when it was cancelled. */
  async pass(): Promise<boolean> {
    const wait = await this.planned();
    const plan = this.#plans.shift()!;
    this.time += wait;
    if (!plan.cancelled) plan.call();
    return !plan.cancelled;
  }
}

class RecordingSink implements JwksSink {
  readonly written: FetchedJwks[] = [];
  readonly deleted: string[] = [];
  synced = 0;

  set(_uri: string, value: FetchedJwks): void {
    this.written.push(value);
  }

  delete(uri: string): void {
    this.deleted.push(uri);
  }

  markSynced(): void {
    this.synced++;
  }
}

let folder: string;
let clock: StandingClock;
let sink: RecordingSink;
let servers: { close(): unknown }[];
let sources: JwksSource[];
let requests: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "seawall-jwks-"));
  clock = new StandingClock();
  sink = new RecordingSink();
  servers = [];
  sources = [];
  requests = 0;
});
afterEach(() => {
  for (const source of sources) source.close();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function listen(server: Server, scheme = "http"): Promise<string> {
  servers.push({ close: () => server.close().closeAllConnections() });
  server.on("request", () => requests++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `${scheme}://localhost:${(server.address() as AddressInfo).port}/jwks`;
}

/** An issuer whose answers are what a test last put into `answer`. */
async function issuer(first: RequestListener): Promise<{ uri: string; answer: RequestListener }> {
  const published = { uri: "", answer: first };
  published.uri = await listen(createServer((request, response) => published.answer(request, response)));
  return published;
}

function answering(body: string | Buffer, headers: Record<string, string> = {}, status = 200): RequestListener {
  return (_, response) => void response.writeHead(status, headers).end(body);
}

function start(uris: readonly string[], options: Partial<JwksSourceOptions> = {}): JwksSource {
  const source = new JwksSource({ sink, clock, random: () => 0, timeout: PATIENCE_MS, ...options });
  sources.push(source);
  source.want(new Set(uris));
  return source;
}

/** What is known after the first attempt. */
async function outcome(uri: string, options: Partial<JwksSourceOptions> = {}): Promise<FetchedJwks> {
  start([uri], options);
  await clock.planned();
  return sink.written.at(-1)!;
}

/** A port on which nobody listens. */
async function deadPort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe("the key set of an issuer", () => {
  it("is pending until it has been fetched, and keeps nobody waiting", async () => {
    const set = keySet("a");
    const { uri } = await issuer(answering(set));
    start([uri]);
    expect(sink.synced).toBe(1);
    expect(sink.written).toEqual([{ uri, state: "pending", error: "has not been fetched yet" }]);
    await clock.planned();
    expect(sink.written.slice(1)).toEqual([{ uri, state: "good", keys: canonical(set) }]);
  });

  it("is fetched once, however often it is asked for, and on its own for every URI", async () => {
    const { uri } = await issuer(answering(keySet("a")));
    const source = start([uri]);
    source.want(new Set([uri]));
    source.want(new Set([uri]));
    await clock.pass();
    await clock.planned();
    expect(requests).toBe(2);
  });

  it("says which keys were left out", async () => {
    const { keys } = JSON.parse(keySet("a")) as { keys: unknown[] };
    const { uri } = await issuer(answering(JSON.stringify({ keys: [...keys, { kty: "oct", kid: "secret", k: "AAAA" }] })));
    expect(await outcome(uri)).toMatchObject({
      state: "good",
      warnings: ['key "secret" is symmetric: a secret cannot be in a public key set'],
    });
  });

  it.each<[string, Record<string, string>, number]>([
    ["five minutes, when its server says nothing", {}, 5 * MINUTE],
    ["what its server says", { "cache-control": "public, max-age=600" }, 10 * MINUTE],
    ["half a minute at least", { "cache-control": "max-age=1" }, 30 * SECOND],
    ["an hour at most", { "cache-control": "max-age=604800, immutable" }, 60 * MINUTE],
    ["five minutes, when it may not be stored", { "cache-control": "no-store, max-age=0" }, 5 * MINUTE],
    ["five minutes, when its age is nonsense", { "cache-control": "max-age=-5" }, 5 * MINUTE],
  ])("is fetched again after %s", async (_, headers, wait) => {
    const { uri } = await issuer(answering(keySet("a"), headers));
    await outcome(uri);
    expect(await clock.planned()).toBe(wait);
  });

  it("is fetched again up to a tenth earlier, never later", async () => {
    const { uri } = await issuer(answering(keySet("a")));
    await outcome(uri, { random: () => 0.999_999 });
    expect(await clock.planned()).toBeCloseTo(4.5 * MINUTE, -1);
  });

  it("changes nothing when it is fetched again unchanged, in whatever order, and everything when its keys rotated", async () => {
    const [a, b] = [keySet("a"), keySet("b")];
    const both = (first: string, second: string) =>
      JSON.stringify({ keys: [first, second].flatMap((set) => (JSON.parse(set) as { keys: unknown[] }).keys) });
    const published = await issuer(answering(both(a, b)));
    await outcome(published.uri);
    published.answer = answering(both(b, a));
    await clock.pass();
    await clock.planned();
    expect(sink.written).toHaveLength(2);
    published.answer = answering(b);
    await clock.pass();
    await clock.planned();
    expect(sink.written.slice(2)).toEqual([{ uri: published.uri, state: "good", keys: canonical(b) }]);
  });

  it("is forgotten with its last policy, also while it is being fetched", async () => {
    let arrived: (() => void) | undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const { uri } = await issuer((_, response) => {
      response.once("close", () => undefined);
      arrived!();
    });
    const other = await issuer(answering(keySet("b")));
    const source = start([uri]);
    await arrival;
    source.want(new Set([other.uri]));
    expect(sink.deleted).toEqual([uri]);
    await clock.planned();
    source.want(new Set());
    expect(sink.deleted).toEqual([uri, other.uri]);
    expect(await clock.pass()).toBe(false);
    expect(sink.written.map((value) => [value.uri, value.state])).toEqual([
      [uri, "pending"],
      [other.uri, "pending"],
      [other.uri, "good"],
    ]);
  });
});

describe("a key set that cannot be had", () => {
  it.each<[string, RequestListener, RegExp]>([
    ["is empty", answering('{"keys":[]}'), /^has no keys$/],
    ["has no usable key", answering('{"keys":[{"kty":"oct","k":"AAAA"}]}'), /no usable public signature key/],
    ["is garbage", answering(Buffer.from([0xff, 0xfe, 0, 1])), /^is not JSON/],
    ["is a web page", answering("<!doctype html>"), /^is not JSON/],
    ["is nothing at all", answering(""), /^is not JSON/],
    ["is gone", answering(keySet("a"), {}, 404), /^answers with status 404$/],
    ["is an error of the server", answering("down", {}, 503), /^answers with status 503$/],
    ["is huge by its own account", answering(Buffer.alloc(2 << 20, " ")), /^answers with more than 1048576 bytes$/],
    [
      "is huge without saying so",
      (_, response) => {
        response.on("error", () => undefined);
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, " ")));
        };
        response.writeHead(200).on("drain", more);
        more();
      },
      /^answers with more than 1048576 bytes$/,
    ],
    ["is compressed unasked", answering("x", { "content-encoding": "gzip" }), /compressed/],
    [
      "ends in the middle",
      (_, response) => void response.writeHead(200, { "content-length": "100" }).write("{", () => response.destroy()),
      /breaks the connection off/,
    ],
    ["redirects to http", answering("", { location: "http://localhost:1/jwks" }, 302), /^redirects to http:/],
    ["redirects to a file", answering("", { location: "file:///etc/passwd" }, 302), /not a web address/],
  ])("%s: it failed, and says why", async (_, answer, error) => {
    const { uri } = await issuer(answer);
    expect(await outcome(uri)).toEqual({ uri, state: "failed", error: expect.stringMatching(error) as unknown });
  });

  it.each<[string, RequestListener]>([
    ["begins", () => undefined],
    ["ends", (_, response) => void response.writeHead(200).write("{")],
  ])("is of a server whose answer never %s: it failed, and says why", async (_, answer) => {
    const { uri } = await issuer(answer);
    expect(await outcome(uri, { timeout: 300 })).toEqual({ uri, state: "failed", error: "did not answer completely within 0.3 s" });
  });

  it("is nowhere: it failed, and says why", async () => {
    const uri = `http://127.0.0.1:${await deadPort()}/jwks`;
    expect(await outcome(uri)).toEqual({ uri, state: "failed", error: "refuses the connection" });
  });

  it("does not speak HTTP: it failed, and says why", async () => {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => void sockets.push(socket.on("error", () => undefined).end("SSH-2.0-nothing\r\n")));
    servers.push({ close: () => [server.close(), sockets.map((socket) => socket.destroy())] });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    expect(await outcome(uri)).toEqual({ uri, state: "failed", error: "does not speak HTTP" });
  });

  it.each([
    ["nonsense", "is not a URI"],
    ["file:///etc/passwd", "is neither an https: nor an http: URI"],
    ["https://user:secret@127.0.0.1/", "holds a user name or a password, which would end up in logs"],
  ])("is never tried at %s", (uri, error) => {
    start([uri]);
    expect(sink.written).toEqual([{ uri, state: "failed", error }]);
  });

  it("is not fetched from an address that the mesh does not allow, whether by name or by number", async () => {
    const { uri } = await issuer(answering(keySet("a")));
    const refused = { state: "failed", error: "has an address that the mesh does not allow to be called" };
    const refuseAddress = (address: string) => address.startsWith("127.") || address === "::1";
    expect(await outcome(uri, { refuseAddress })).toMatchObject(refused);
    clock = new StandingClock();
    expect(await outcome(uri.replace("localhost", "127.0.0.1"), { refuseAddress })).toMatchObject(refused);
    expect(requests).toBe(0);
    clock = new StandingClock();
    expect(await outcome(uri, { refuseAddress: () => false })).toMatchObject({ state: "good" });
  });

  it("is tried again after 1, 2, 4 ... 60 s, up to half of that earlier, without a new word while it fails the same way", async () => {
    const published = await issuer(answering("", {}, 500));
    await outcome(published.uri, { random: () => 0.999_999_9 });
    const waits: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      waits.push(Math.round((await clock.planned()) / SECOND));
      await clock.pass();
    }
    await clock.planned();
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(sink.written).toHaveLength(2);
  });

  it("may be tried again after half of that", async () => {
    const published = await issuer(answering("", {}, 500));
    await outcome(published.uri, { random: () => 0 });
    expect(await clock.planned()).toBe(SECOND / 2);
  });
});

describe("a key set that was good and then could not be had", () => {
  it("stays good, says what is wrong and since when, and recovers by itself", async () => {
    const [a, b] = [keySet("a"), keySet("b")];
    const published = await issuer(answering(a));
    const { uri } = published;
    await outcome(uri);
    const lastGoodAt = clock.time;
    for (const answer of [answering('{"keys":[]}'), answering("", {}, 503)]) {
      published.answer = answer;
      await clock.pass();
      await clock.planned();
    }
    expect(sink.written.slice(2)).toEqual([
      { uri, state: "good", keys: canonical(a), error: "has no keys", lastGoodAt },
      { uri, state: "good", keys: canonical(a), error: "answers with status 503", lastGoodAt },
    ]);
    published.answer = answering(b);
    await clock.pass();
    expect(await clock.planned()).toBe(5 * MINUTE);
    expect(sink.written.slice(4)).toEqual([{ uri, state: "good", keys: canonical(b) }]);
  });

  it("is still good after a restart of the control plane while the issuer is away, without a moment of being unknown", async () => {
    const store = jwksFileStore(join(folder, "store"), (failure) => expect(failure).toBeUndefined());
    const set = keySet("a");
    const published = await issuer(answering(set));
    await outcome(published.uri, { store });
    published.answer = answering("", {}, 503);
    [clock, sink] = [new StandingClock(), new RecordingSink()];
    expect(await outcome(published.uri, { store })).toMatchObject({
      state: "good",
      keys: canonical(set),
      error: "answers with status 503",
    });
    expect(sink.written.map(({ state }) => state)).toEqual(["good", "good"]);
  });

  it("is said once after a restart when nothing has changed", async () => {
    const store = jwksFileStore(join(folder, "store"), (failure) => expect(failure).toBeUndefined());
    const { uri } = await issuer(answering(keySet("a")));
    await outcome(uri, { store });
    [clock, sink] = [new StandingClock(), new RecordingSink()];
    await outcome(uri, { store });
    expect(sink.written).toHaveLength(1);
  });

  it("is not taken from the store after a day", async () => {
    const store = jwksFileStore(join(folder, "store"), (failure) => expect(failure).toBeUndefined());
    const { uri } = await issuer(answering(keySet("a")));
    await outcome(uri, { store });
    const { time } = clock;
    [clock, sink] = [new StandingClock(), new RecordingSink()];
    clock.time = time + 24 * 60 * MINUTE + 1;
    start([uri], { store });
    expect(sink.written).toMatchObject([{ state: "pending" }]);
  });
});

describe("over TLS", () => {
  async function secureIssuer(answer: RequestListener, name = "localhost"): Promise<{ uri: string; trusted: string }> {
    const path = join(folder, "ca");
    const authority = new CertificateAuthority({ store: StateFolder.open(path, "write"), trustDomain: "idp" });
    const { chainPem, key } = authority.issue({ trustDomain: "idp", namespace: "idp", serviceAccount: "idp" }, [name]);
    return { uri: await listen(createTlsServer({ cert: chainPem, key: key.reveal() }, answer), "https"), trusted: authority.trust.pem };
  }

  it("an issuer is believed by the certificates that were given, and by no other", async () => {
    const { uri, trusted } = await secureIssuer(answering(keySet("a")));
    expect(await outcome(uri, { trustedCertificates: trusted })).toMatchObject({ state: "good" });
    clock = new StandingClock();
    expect(await outcome(uri)).toEqual({ uri, state: "failed", error: "has a certificate that is not trusted" });
  });

  it("an issuer with a certificate for another name is not believed", async () => {
    const { uri, trusted } = await secureIssuer(answering(keySet("a")), "elsewhere.example.com");
    expect(await outcome(uri, { trustedCertificates: trusted })).toEqual({
      uri,
      state: "failed",
      error: "has a certificate for another name",
    });
  });

  it("a redirect to https is followed, a few times", async () => {
    const target = await secureIssuer((request, response) =>
      request.url === "/loop" ? response.writeHead(302, { location: "/loop" }).end() : response.end(keySet("a")),
    );
    const published = await issuer(answering("", { location: target.uri }, 307));
    expect(await outcome(published.uri, { trustedCertificates: target.trusted })).toMatchObject({ state: "good" });
    published.answer = answering("", { location: target.uri.replace("/jwks", "/loop") }, 307);
    await clock.pass();
    await clock.planned();
    expect(sink.written.at(-1)).toMatchObject({ state: "good", error: "redirects more than 3 times" });
  });
});
