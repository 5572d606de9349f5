import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownAddress } from "../../e2e/support/addresses.ts";
import { type RunningSeawall, seawall, startSeawall } from "../testing/run-seawall.ts";

const SHOP = join(import.meta.dirname, "..", "..", "examples", "shop", "manifests");

describe("seawall serve", () => {
  let folder: string;
  let config: string;
  let state: string;
  let admin: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "seawall-serve-"));
    [config, state] = [join(folder, "config"), join(folder, "state")];
    await cp(SHOP, config, { recursive: true });
    admin = `${ownAddress()}:15014`;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const common = (): string[] => [
    "serve",
    "--config-dir",
    config,
    "--state-dir",
    state,
    "--xds-address",
    "127.0.0.1:0",
    "--admin-address",
    admin,
  ];
  const start = async (...more: string[]): Promise<RunningSeawall> => {
    const running = startSeawall([...common(), ...more]);
    await running.messages.waitFor((line) => line.includes("sidecars trust"));
    return running;
  };

  it("serves health, and the status of sidecars, until it is told to end", async () => {
    const running = await start();
    expect((await fetch(`http://${admin}/healthz`)).status).toBe(200);
    expect((await fetch(`http://${admin}/readyz`)).status).toBe(200);
    const status = await seawall(["proxy", "status", "--admin", admin]);
    expect([status.code, status.output]).toEqual([1, expect.stringMatching(/^shop\/web +shop\/web +not connected /m)]);
    const config = await seawall(["proxy", "config", "shop/web", "--admin", admin]);
    expect([config.code, config.messages]).toEqual([1, expect.stringContaining("is not connected")]);
    expect(await readFile(join(state, "trust.pem"), "utf8")).toMatch(/^-----BEGIN CERTIFICATE-----/);
    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(0);
  });

  it("logs as JSON, from the level that is asked for", async () => {
    const running = startSeawall([...common(), "--log-format", "json"]);
    const line = await running.messages.waitFor((text) => text.includes("sidecars connect to"));
    expect(JSON.parse(line)).toEqual({ time: expect.any(String), level: "info", message: expect.stringContaining("the mesh has 4 pods") });
    running.child.kill("SIGINT");
    expect(await running.ended).toBe(0);
  });

  it("cannot start where it may not write, without manifests, or on a port that is taken: and says what to do", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    const file = join(folder, "file");
    await writeFile(file, "");
    const open = join(folder, "open");
    await mkdir(open, { mode: 0o700 });
    await chmod(open, 0o755);
    for (const [args, words] of [
      [["--config-dir", join(folder, "nowhere")], "does not exist"],
      [["--config-dir", file], "is not a folder"],
      [["--state-dir", join(file, "state")], "Choose a state folder"],
      [["--state-dir", open], "chmod 700"],
      [["--xds-address", `127.0.0.1:${port}`], `port ${port} on 127.0.0.1 is in use`],
      [["--admin-address", `127.0.0.1:${port}`], `the admin address 127.0.0.1:${port} is in use`],
      [["--insecure-xds", "--xds-address", "0.0.0.0:0"], "plaintext"],
    ] as const) {
      const { code, output, messages } = await seawall([...common(), ...args]);
      expect([args, code, output]).toEqual([args, 1, ""]);
      expect(messages).toContain(words);
      expect(messages).not.toMatch(/^\s+at /m);
    }
    taken.close();
  });
});
