import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readdirSync, readFileSync } from "node:fs";
import { HOUR, MINUTE } from "../../ca/clock.ts";
import { until } from "../../e2e/support/eventually.ts";
import { MovableClock } from "../../e2e/support/movable-clock.ts";
import { ownAddress } from "../../e2e/support/addresses.ts";
import { ASK, type Upstream, startUpstream } from "../../e2e/support/upstream.ts";
import { processesWith } from "../testing/processes.ts";
import { type RunningSeawall, seawall, startSeawall } from "../testing/run-seawall.ts";
import { startTestControlPlane, type TestControlPlane } from "../testing/test-control-plane.ts";
import { AdminSocket } from "./admin-socket.ts";

const ADDRESS = ownAddress();

function sum(stats: ReadonlyMap<string, number>): number {
  return [...stats.values()].reduce((all, value) => all + value, 0);
}

describe("seawall sidecar", () => {
  let upstream: Upstream;
  let plane: TestControlPlane;
  const [port, outboundPort] = [8080, 15001];
  let work: string;

  beforeAll(async () => {
    upstream = await startUpstream();
    plane = await startTestControlPlane({
      inbound: { address: ADDRESS, port },
      upstreamPort: upstream.port,
      outbound: { outbound: outboundPort },
    });
    work = await mkdtemp(join(tmpdir(), "seawall-work-"));
  });

  afterAll(async () => {
    await plane.stop();
    await upstream.stop();
    await rm(work, { recursive: true, force: true });
  });

  function start(tokenFile: string, ...more: string[]): RunningSeawall {
    const to = ["--control-plane", `127.0.0.1:${plane.port}`, "--ca-file", plane.caFile];
    return startSeawall(["sidecar", "--token-file", tokenFile, ...to, "--work-dir", work, ...more]);
  }

  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`http://${ADDRESS}:${port}${path}`, { headers });

  it("starts Envoy, says where it listens, passes the access log through, and leaves nothing behind on SIGTERM", async () => {
    const sidecar = start(await plane.writeToken("shop/web"));
    await sidecar.messages.waitFor((line) => line.startsWith("seawall: ready after"));
    await sidecar.messages.waitFor((line) => line === `  inbound   ${ADDRESS}:${port}`);
    await sidecar.messages.waitFor((line) => line.includes(`export HTTP_PROXY=http://${ADDRESS}:${outboundPort}`));
    expect((await get("/hello")).status).toBe(200);
    expect(JSON.parse(await sidecar.output.waitFor((line) => line.includes("/hello")))).toEqual({ path: "/hello", status: 200 });
    expect((await stat(join(work, "admin.sock"))).mode & 0o777).toBe(0o600);
    expect((await stat(work)).mode & 0o777).toBe(0o700);
    expect(sidecar.output.items.every((line) => line.startsWith("{"))).toBe(true);

    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(0);
    expect(processesWith(work)).toEqual([]);
    expect(readdirSync(work).toSorted()).toEqual(["bootstrap.json"]);
  });

  it("waits for an open request when it is told to end, for a bounded time", async () => {
    const sidecar = start(await plane.writeToken("shop/web"), "--drain-timeout", "300ms");
    await sidecar.messages.waitFor((line) => line.startsWith("seawall: ready after"));
    const held = get("/held", { [ASK]: "hold" }).then(
      () => "answered",
      () => "cut",
    );
    await upstream.received.waitFor((request) => request.path === "/held");
    sidecar.child.kill("SIGINT");
    await sidecar.messages.waitFor((line) => line.includes("for 1 open request"));
    expect(await sidecar.ended).toBe(0);
    expect(await held).toBe("cut");
  });

  it("takes Envoy along when it is killed with -9", async () => {
    const sidecar = start(await plane.writeToken("shop/web"));
    await sidecar.messages.waitFor((line) => line.startsWith("seawall: ready after"));
    expect(processesWith(work).length).toBeGreaterThan(1);
    sidecar.child.kill("SIGKILL");
    await until("no process is left", () => processesWith(work).length === 0);
  });

  it("starts Envoy again when it ends by itself", async () => {
    const sidecar = start(await plane.writeToken("shop/web"));
    await sidecar.messages.waitFor((line) => line.startsWith("seawall: ready after"));
    const [envoy] = processesWith(join(work, "bootstrap.json"))
      .map((line) => Number.parseInt(line, 10))
      .filter((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("envoy"));
    process.kill(envoy!, "SIGKILL");
    await sidecar.messages.waitFor((line) => line.includes("Envoy ended by itself (signal 9); starting it again in"));
    await until("it is ready again", () => sidecar.messages.items.filter((line) => line.startsWith("seawall: ready after")).length === 2);
    expect((await get("/again")).status).toBe(200);
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(0);
  });

  it("names the program's port that is occupied, and takes it when it is free", async () => {
    const other = createServer().listen(port, ADDRESS);
    await once(other, "listening");
    const sidecar = start(await plane.writeToken("shop/web"));
    await sidecar.messages.waitFor((line) => line.includes(`inbound/${port} cannot listen on ${ADDRESS}:${port}: another program does`));
    await until("the listener is refused for good", () => plane.refusedListeners().includes(`inbound/${port}`));
    other.close();
    await once(other, "close");
    await sidecar.messages.waitFor((line) => line === `  inbound   ${ADDRESS}:${port}`);
    expect((await get("/late")).status).toBe(200);
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(0);
  });

  it("renews its token at half of its life, writes it back, and its stream lives on", async () => {
    const clock = new MovableClock();
    await using own = await startTestControlPlane({ inbound: { address: ADDRESS, port }, upstreamPort: upstream.port, clock });
    // Half of its life is over, so that it is renewed at once.
    const file = await own.writeToken("shop/web", 10 * HOUR, 5 * HOUR + MINUTE);
    const first = await readFile(file, "utf8");
    const sidecar = start(file, "--control-plane", `127.0.0.1:${own.port}`, "--ca-file", own.caFile);
    await sidecar.messages.waitFor((line) => line.startsWith("seawall: ready after"));
    await until("the token was renewed and written back", async () => (await readFile(file, "utf8")) !== first);
    expect(own.renewals()).toBe(1);
    const admin = new AdminSocket(join(work, "admin.sock"));
    // The token may have been renewed before Envoy read the first: then it never has that one.
    await until("Envoy has a token", async () => sum(await admin.stats("^sds\\.xds-token\\.update_success$")) >= 1);
    // The first token has run out, and no stream that was opened with the second one stays so long. The second is still good.
    const moved = clock.now() + 9 * HOUR;
    clock.move(9.75 * HOUR);
    await until("Envoy has come back", () => own.opened().some((at) => at > moved));
    await until("Envoy knows that", async () => sum(await admin.stats("^control_plane.connected_state$")) === 1);
    expect(sidecar.messages.items.filter((line) => line.includes("token"))).toHaveLength(1);
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(0);
  });

  it("says that a token is refused and why", async () => {
    const file = await plane.writeToken("shop/stranger");
    const sidecar = start(file);
    await sidecar.messages.waitFor((line) => line.includes(`refuses the token in ${file}: there is no pod shop/stranger`));
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(0);
  });

  it("refuses to start with a token that has expired", async () => {
    const file = await plane.writeToken("shop/web", HOUR, 2 * HOUR);
    const { code, messages } = await seawall(["sidecar", "--token-file", file, "--ca-file", plane.caFile]);
    expect([code, messages]).toEqual([1, expect.stringMatching(/expired .* ago\. Make a new one/)]);
  });

  it("says what is wrong with the control plane: absent, of another mesh, of another name, without TLS", async () => {
    const token = await plane.writeToken("shop/web");
    const echo = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(0, "127.0.0.1");
    await once(echo, "listening");
    const plaintext = (echo.address() as { port: number }).port;
    const foreign = join(plane.folder, "foreign.pem");
    const other = await startTestControlPlane({ inbound: { address: ADDRESS, port }, upstreamPort: upstream.port });
    await copyFile(other.caFile, foreign);
    await other.stop();
    for (const [args, words] of [
      [["--control-plane", `${ADDRESS}:9`], `${ADDRESS}:9 cannot be reached (connection refused)`],
      [["--control-plane", `127.0.0.1:${plaintext}`], "answers without TLS"],
      [["--ca-file", foreign], `is not signed by a root in ${foreign}`],
      [["--server-name", "elsewhere.example"], 'is not "elsewhere.example": its certificate is for'],
    ] as const) {
      const sidecar = start(token, ...args);
      expect(await sidecar.messages.waitFor((line) => line.includes(words))).toContain("Trying on");
      sidecar.child.kill("SIGTERM");
      expect(await sidecar.ended).toBe(0);
    }
    echo.close();
  });

  it("refuses to start with what cannot work, in one line that says what to do", async () => {
    const token = await plane.writeToken("shop/web");
    const garbage = join(plane.folder, "garbage");
    await writeFile(garbage, "not a token", { mode: 0o600 });
    const ca = ["--ca-file", plane.caFile];
    for (const [code, args, words] of [
      [2, ["--token-file", join(plane.folder, "none"), ...ca], "cannot be read: there is no such file"],
      [2, ["--token-file", garbage, ...ca], "does not hold a join token"],
      [2, ["--token-file", token, "--ca-file", garbage], "holds no PEM certificate"],
      [2, ["--token-file", token, ...ca, "--envoy", "/nowhere/envoy"], "Run `make tools`"],
      [2, ["--token-file", token, "--insecure-xds", "--control-plane", "192.0.2.1:15012"], "only on loopback"],
      [2, ["--token-file", token, ...ca, "--work-dir", join(tmpdir(), "x".repeat(120))], "is too long"],
      [1, ["--token-file", token, ...ca, "--work-dir", garbage], "cannot be used"],
      [1, ["--token-file", token, ...ca, "--envoy", "/bin/false"], "ended 3 times without starting"],
    ] as const) {
      const result = await seawall(["sidecar", ...args]);
      expect([result.code, result.output]).toEqual([code, ""]);
      expect(result.messages).toContain(words);
      expect(result.messages).not.toMatch(/^\s+at /m);
    }
  });
});
