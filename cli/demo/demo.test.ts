import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../e2e/support/eventually.ts";
import { processesWith } from "../testing/processes.ts";
import { type RunningSeawall, seawall, startSeawall } from "../testing/run-seawall.ts";

const STARTED = 240_000;

/** Takes the port of orders in the next network whose port is free: other demos may run on this machine. */
async function takePortAfter(network: number): Promise<readonly [Server, network: number]> {
  for (let next = network + 1; next < 255; next++) {
    const server = createServer().listen(8080, `127.20.${next}.21`);
    const listens = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (listens) return [server, next];
  }
  throw new Error("no network of the demo is free");
}

describe("seawall demo", () => {
  let top: string;
  let folder: string;
  let demo: RunningSeawall;
  let admin: string;
  const mark = `SEAWALL_DEMO_TEST=${process.pid}-${Date.now()}`;
  const environment = Object.fromEntries([mark.split("=") as [string, string]]);

  beforeAll(async () => {
    top = await mkdtemp(join(tmpdir(), "seawall-demo-test-"));
    folder = join(top, "demo");
    demo = startSeawall(["demo", "--keep-dir", folder], { environment });
    const line = await demo.messages.waitFor((text) => text.includes("control plane"), STARTED);
    admin = /admin (\S+)/.exec(line)?.[1] ?? "";
    await demo.output.waitFor((text) => text.startsWith("Ctrl-C ends everything"), STARTED);
  }, 2 * STARTED);

  afterAll(async () => {
    await rm(top, { recursive: true, force: true });
  });

  it("walks through everything, each step as it should, with the policy that decided", () => {
    const text = demo.output.items.join("\n");
    expect(demo.output.items.filter((line) => line.startsWith("! "))).toEqual([]);
    expect(text).toMatch(/\n(\d+) of \1 steps went as they should\./);
    for (const words of [
      /web reads the orders +200 +200 +accesspolicy\/shop\/orders\/web-reads/,
      /no policy lets it +403 +403 +not-visible\/shop\/web/,
      /wrong identity +403 +403 +default-deny\/shop\/orders/,
      /wrong method +403 +403 +default-deny\/shop\/orders/,
      /without identity .* +403 +403 +mutual-tls\/shop\/shop\/strict/,
      /without token +401 +401 +authenticationpolicy\/shop\/web \(jwt is missing\)/,
      /has expired +401 +401 +authenticationpolicy\/shop\/web \(jwt is expired\)/,
      /alg: none +401 +401 +authenticationpolicy\/shop\/web/,
      /5 x 200, 429 +5 x 200, 429 +ratelimitpolicy\/shop\/web\/per-customer/,
      /sidecars touched +2 \(orders-v1, orders-v2\)/,
      /connections closed +0/,
      /it is still open/,
    ]) {
      expect(text).toMatch(words);
    }
  });

  it("can be looked into: status, configuration, explanations", async () => {
    const status = await seawall(["proxy", "status", "--admin", admin]);
    expect([status.code, status.output.match(/ synced /g)?.length]).toEqual([0, 4]);
    const data = JSON.parse((await seawall(["proxy", "status", "shop/web", "--admin", admin, "-o", "json"])).output) as Record<
      string,
      unknown
    >[];
    expect(data).toMatchObject([{ pod: "shop/web", state: "synced", certificate: { spiffeId: "spiffe://shop.example/ns/shop/sa/web" } }]);

    const overview = await seawall(["proxy", "config", "shop/web", "--admin", admin]);
    expect([overview.code, overview.output.match(/as intended/g)?.length]).toEqual([0, 6]);
    const routes = await seawall(["proxy", "config", "shop/web", "routes", "--admin", admin]);
    expect(routes.output).toContain("90 outbound/shop/orders-v1/80, 10 outbound/shop/orders-v2/80");
    const secrets = await seawall(["proxy", "config", "shop/web", "secrets", "--admin", admin]);
    expect(secrets.output).toMatch(/^identity +certificate +spiffe:\/\/shop\.example\/ns\/shop\/sa\/web +in /m);
    const token = (await readFile(join(folder, "web.token"), "utf8")).trim();
    const raw = await seawall(["proxy", "config", "shop/web", "--raw", "--admin", admin]);
    expect(JSON.parse(raw.output)).toHaveProperty("configs");
    expect(raw.output).not.toContain("PRIVATE KEY");
    expect(raw.output).not.toContain(token);

    const why = await seawall(["explain", "--admin", admin, "--from", "shop/web", "--to", "orders.shop", "DELETE", "/orders/1"]);
    expect([why.code, why.output]).toEqual([
      1,
      expect.stringContaining("REFUSED with 403 by accesspolicy/shop/orders-are-kept/nobody-deletes"),
    ]);
    const nobody = await seawall(["proxy", "config", "shop/nobody", "--admin", admin]);
    expect([nobody.code, nobody.messages]).toEqual([2, expect.stringContaining("there are shop/orders-v1")]);
  });

  it("verifies a token that it is asked about", async () => {
    const tokenUrl = /curl -s '([^']+)'/.exec(demo.output.items.join("\n"))?.[1] ?? "";
    const { token } = (await (await fetch(`${tokenUrl}&lifetime=-600`)).json()) as { token: string };
    const file = join(top, "customer.token");
    await writeFile(file, token);
    const ask = ["explain", "--admin", admin, "--to", "web.shop", "--token", file, "GET", "/orders"];
    expect(await seawall(ask)).toMatchObject({ code: 1, output: expect.stringContaining("REFUSED with 401") });
    const good = (await (await fetch(tokenUrl)).json()) as { token: string };
    await writeFile(file, good.token);
    expect(await seawall(ask)).toMatchObject({ code: 0, output: expect.stringContaining("customers-read") });
  });

  it(
    "keeps out of the way of another demo and of a port that is taken",
    async () => {
      const network = (messages: string): number => Number(/sidecar of orders-v1 +127\.20\.(\d+)\./.exec(messages)?.[1]);
      const first = network(demo.messages.items.join("\n"));
      const [other, taken] = await takePortAfter(first);
      const second = await seawall(["demo", "--once"], { environment, patienceMs: 2 * STARTED });
      expect([first, taken]).not.toContain(network(second.messages));
      expect([second.code, second.output]).toEqual([0, expect.stringMatching(/(\d+) of \1 steps/)]);
      other.close();
    },
    3 * STARTED,
  );

  it("ends everything on Ctrl-C, and keeps what it was asked to keep", async () => {
    expect(processesWith(mark).length).toBeGreaterThan(8);
    demo.child.kill("SIGINT");
    expect(await demo.ended).toBe(0);
    expect(processesWith(mark)).toEqual([]);
    expect(existsSync(join(folder, "logs", "sidecar-web.log"))).toBe(true);
  });

  it(
    "leaves no process when it is killed with -9",
    async () => {
      const killed = startSeawall(["demo", "--keep-dir", join(top, "killed")], { environment });
      await killed.messages.waitFor((line) => line.startsWith("Everything runs"), STARTED);
      killed.child.kill("SIGKILL");
      await killed.ended;
      await until("no process is left", () => processesWith(mark).length === 0);
    },
    2 * STARTED,
  );

  it("says how to get Envoy when there is none", async () => {
    const { code, messages } = await seawall(["demo", "--once", "--envoy", "/nowhere/envoy"]);
    expect([code, messages]).toEqual([2, expect.stringContaining("make tools")]);
  });
});
