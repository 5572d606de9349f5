import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seawall } from "../../cli/testing/run-seawall.ts";
import { startControlPlane } from "../../controller/main.ts";
import { ownAddress } from "../support/addresses.ts";
import { ADMIN_PORT, XDS_PORT } from "./testing/control-plane.ts";

const folder = mkdtempSync(join(tmpdir(), "seawall-start-"));
const address = ownAddress();
const config = join(folder, "config");

beforeAll(() => {
  mkdirSync(config);
});

afterAll(() => rmSync(folder, { recursive: true }));

interface Given {
  readonly configFolder?: string;
  readonly stateFolder?: string;
}

function start(given: Given): ReturnType<typeof startControlPlane> {
  return startControlPlane({
    ...{ configFolder: config, stateFolder: join(folder, "state"), insecureXds: false, log: () => undefined },
    ...{ xds: { host: address, port: XDS_PORT }, admin: { host: address, port: ADMIN_PORT } },
    ...given,
  });
}

/** What `seawall serve` does with the same. */
async function serve({
  configFolder = config,
  stateFolder = join(folder, "state"),
}: Given): Promise<{ readonly code: number | null; readonly messages: string }> {
  return seawall([
    ...["serve", "--config-dir", configFolder, "--state-dir", stateFolder],
    ...["--xds-address", `${address}:${XDS_PORT}`, "--admin-address", `${address}:${ADMIN_PORT}`],
  ]);
}

async function isFree(port: number): Promise<boolean> {
  const socket = connect(port, address);
  const open = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return !open;
}

/** The words of a refusal that tell what to do, and none of a stack. */
function expectWords(messages: string, ...words: readonly (string | RegExp)[]): void {
  for (const word of words) expect(messages).toMatch(word);
  expect(messages).not.toMatch(/^\s+at /m);
}

describe("a control plane that cannot start says why, and leaves nothing open", () => {
  it("when its configuration folder is missing", async () => {
    const missing = join(folder, "nowhere");
    await expect(start({ configFolder: missing })).rejects.toMatchObject({
      code: "FolderNotFound",
      message: expect.stringContaining(missing),
    });
    const { code, messages } = await serve({ configFolder: missing });
    expect(code).not.toBe(0);
    expectWords(messages, missing);
    expect([await isFree(XDS_PORT), await isFree(ADMIN_PORT)]).toEqual([true, true]);
  });

  it("when its configuration folder is a file", async () => {
    const file = join(folder, "file.yaml");
    writeFileSync(file, "");
    await expect(start({ configFolder: file })).rejects.toMatchObject({ code: "NotAFolder" });
  });

  it("when its state folder cannot be written", async () => {
    // Permissions do not stop the superuser; a file where a folder would have to be does.
    writeFileSync(join(folder, "plain-file"), "");
    const stateFolder = join(folder, "plain-file", "state");
    await expect(start({ stateFolder })).rejects.toMatchObject({
      code: "StateNotWritable",
      message: expect.stringContaining("plain-file"),
    });
    const { code, messages } = await serve({ stateFolder });
    expect(code).not.toBe(0);
    expectWords(messages, "plain-file");
    expect([await isFree(XDS_PORT), await isFree(ADMIN_PORT)]).toEqual([true, true]);
  });

  it.each([
    ["for sidecars", XDS_PORT, ADMIN_PORT],
    ["of the admin server", ADMIN_PORT, XDS_PORT],
  ])("when the port %s is occupied, and gives back the other", async (_which, occupied, other) => {
    const holder = createServer().listen(occupied, address);
    await once(holder, "listening");
    try {
      await expect(start({})).rejects.toThrow(new RegExp(`${occupied}.*in use`));
      const { code, messages } = await serve({});
      expect(code).not.toBe(0);
      expectWords(messages, String(occupied), address, "in use");
    } finally {
      holder.close();
      await once(holder, "close");
    }
    expect(await isFree(other)).toBe(true);
  });

  it("and starts when the reason is gone", async () => {
    const controlPlane = await start({});
    expect((await fetch(`http://${address}:${ADMIN_PORT}/readyz`)).status).toBe(200);
    await controlPlane.stop();
    expect([await isFree(XDS_PORT), await isFree(ADMIN_PORT)]).toEqual([true, true]);
  });
});
