import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../e2e/support/eventually.ts";
import { Collected } from "../../e2e/support/collected.ts";
import { type HeldToken, readJoinToken } from "./join-token-file.ts";
import { TokenKeeper } from "./token-keeper.ts";

/** A token that nobody signed: the keeper reads claims, and leaves judging to the control plane. */
function tokenOf(pod: string, lifeSeconds: number, serial = 0): HeldToken {
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iat: now, exp: now + lifeSeconds, jti: serial, "seawall.dev": { namespace: "shop", pod } };
  const held = readJoinToken(`e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.sig${serial}`);
  if (held === undefined) throw new Error("the test's own token cannot be read");
  return held;
}

describe("a sidecar's token", () => {
  let folder: string;
  let file: string;
  let said: Collected<string>;
  let used: Collected<HeldToken>;
  let stopping: AbortController;
  let running: Promise<void> = Promise.resolve();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "seawall-token-"));
    file = join(folder, "web.token");
    [said, used, stopping] = [new Collected<string>(), new Collected<HeldToken>(), new AbortController()];
  });
  afterEach(async () => {
    stopping.abort();
    await running;
    await rm(folder, { recursive: true, force: true });
  });

  /** Keeps `first`, of which only 100 ms are left until half of its life; `now` is moved so that it is. */
  async function keep(first: HeldToken, renew: (token: string) => Promise<HeldToken>, toHalf = 100): Promise<void> {
    await writeFile(file, first.token, { mode: 0o600 });
    const offset = (first.issuedAt + first.expiresAt) / 2 - toHalf - Date.now();
    const use = (token: HeldToken): Promise<void> => {
      used.add(token);
      return Promise.resolve();
    };
    const keeper = new TokenKeeper({ file, first, renew, use, say: (message) => said.add(message), now: () => Date.now() + offset });
    running = keeper.run(stopping.signal);
  }

  async function put(token: HeldToken): Promise<void> {
    await writeFile(`${file}.new`, token.token, { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  it("is renewed at half of its life, used, and written back for a restart to find", async () => {
    const second = tokenOf("web", 7_200, 2);
    await keep(tokenOf("web", 3_600, 1), () => Promise.resolve(second));
    expect(await used.waitFor(() => true)).toBe(second);
    await until("the token is written back", async () => (await readFile(file, "utf8")).trim() === second.token);
    expect(said.items).toEqual([]);
  });

  it("is told about when it has expired, and replaced at once by a new one in its file", async () => {
    await keep(tokenOf("web", 3_600, 1), () => Promise.reject(new Error("the control plane is away")), -1_900_000);
    expect(await said.waitFor((line) => line.includes("has expired"))).toContain("(the control plane is away). Put a new one into");
    const fresh = tokenOf("web", 360_000, 2);
    await put(fresh);
    expect((await used.waitFor(() => true)).token).toBe(fresh.token);
    await said.waitFor((line) => line.includes("took the new token of shop/web"));
  });

  it("warns when it cannot be renewed and little of its life is left", async () => {
    await keep(tokenOf("web", 3_600, 1), () => Promise.reject(new Error("refused")), -1_000_000);
    expect(await said.waitFor(() => true)).toMatch(/^the token expires in 1\d min \d+ s and could not be renewed yet: refused$/);
  });

  it("is never replaced by one of another pod, nor by garbage", async () => {
    await keep(tokenOf("web", 360_000, 1), () => Promise.reject(new Error("never")), 1_000_000);
    await put(tokenOf("orders", 3_600_000, 2));
    await said.waitFor((line) => line.includes("is now one of shop/orders: ignored, this is the sidecar of shop/web"));
    await writeFile(file, "garbage");
    const good = tokenOf("web", 3_600_000, 3);
    await put(good);
    await used.waitFor(() => true);
    expect(used.items.map(({ token }) => token)).toEqual([good.token]);
  });

  it("is used even when it cannot be written back, which is said once", async () => {
    await keep(tokenOf("web", 3_600, 1), async () => {
      await rename(folder, `${folder}-gone`);
      return tokenOf("web", 7_200, 2);
    });
    expect(await said.waitFor(() => true)).toContain("a restart will need a new one");
    await rm(`${folder}-gone`, { recursive: true });
    expect(used.items).toHaveLength(1);
  });
});
