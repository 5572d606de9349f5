import { execFile, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "@jest/globals";
import { CertificateAuthority } from "./authority.ts";
import { DAY, HOUR } from "./clock.ts";
import { createJoinToken, JoinTokenKey } from "./join-token.ts";
import { LeafVersions } from "./leaf-version.ts";
import { systemRandomness } from "./randomness.ts";
import { StateError, type StateErrorCode } from "./state-error.ts";
import { StateFolder } from "./state-folder.ts";
import { FakeClock } from "./testing/fake-clock.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";

const OPEN_STATE = join(import.meta.dirname, "testing", "open-state.ts");
const NOBODY = 65534;
const isRoot = process.geteuid?.() === 0;

function open(path: string, clock = new FakeClock(), trustDomain = "cluster.local"): CertificateAuthority {
  const folder = StateFolder.open(path, "write");
  JoinTokenKey.open(folder);
  LeafVersions.open(folder, (count) => systemRandomness.bytes(count));
  return new CertificateAuthority({ store: folder, trustDomain, clock });
}

/** The error of an act that must fail, which names the path and a remedy and holds no key. */
function refusal(act: () => unknown): StateError {
  try {
    act();
  } catch (failure) {
    if (!(failure instanceof StateError)) throw failure;
    expect(failure.message).toContain(failure.path);
    expect(failure.message).toContain(failure.remedy);
    expect(failure.message).not.toContain("-----");
    return failure;
  }
  throw new Error("nothing was refused");
}

const FILES = ["intermediate.pem", "leaf-version.key", "root.pem", "token-signing-key.pem"];

describe("the state folder", () => {
  it("is made with mode 0700 and every file in it with 0600, whatever the umask", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "a", "state");
    const before = process.umask(0);
    try {
      open(path);
    } finally {
      process.umask(before);
    }
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(readdirSync(path).sort()).toEqual(FILES);
    for (const name of FILES) expect(statSync(join(path, name)).mode & 0o777).toBe(0o600);
  });

  it("ends with one authority and one token key when eight processes make it at once", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "state");
    const runs = await Promise.all(Array.from({ length: 8 }, () => promisify(execFile)(process.execPath, [OPEN_STATE, path])));
    const outputs = new Set(runs.map(({ stdout }) => stdout));
    expect(outputs.size).toBe(1);
    expect(JSON.parse([...outputs][0]!)).toHaveProperty("trust.pem");
    expect(readdirSync(path).sort()).toEqual(["intermediate.pem", "root.pem", "token-signing-key.pem"]);
  });

  it.each(["intermediate.pem", "leaf-version.key", "token-signing-key.pem"])("is completed when a crash left it without %s", (name) => {
    using folder = temporaryFolder();
    const { trust } = open(folder.path);
    unlinkSync(join(folder.path, name));
    expect(open(folder.path).trust).toEqual(trust);
    expect(readdirSync(folder.path).sort()).toEqual(FILES);
  });

  it("gives a token without a control plane ever having started, and to who may only read it afterwards", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "state");
    await createJoinToken(path, { namespace: "shop", pod: "web-1", ttl: HOUR });
    expect(readdirSync(path)).toEqual(["token-signing-key.pem"]);
    const before = statSync(path).mtimeMs;
    await createJoinToken(path, { namespace: "shop", pod: "web-1", ttl: HOUR });
    expect(statSync(path).mtimeMs).toBe(before);
  });
});

describe("a state folder is refused", () => {
  it("below a file", () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "file"), "");
    const { code, message } = refusal(() => open(join(folder.path, "file", "state")));
    expect(code).toBe("StateNotWritable");
    expect(message).toContain("a part of the path is a file");
  });

  it("that is a file", () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "state"), "");
    expect(refusal(() => open(join(folder.path, "state"))).code).toBe("StateNotWritable");
  });

  it("that this user may not write to", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "state");
    open(path);
    chmodSync(folder.path, 0o755);
    chmodSync(path, 0o500);
    const refused = withoutPrivileges(path);
    expect(refused.code).toBe("StateNotWritable");
    expect(refused.message).toContain("permission denied");
    chmodSync(path, 0o700);
    expect(withoutPrivileges(path)).toHaveProperty("trust.pem");
  });

  /** What a process finds in the folder that is bound to file modes, as root is not. */
  function withoutPrivileges(path: string): { readonly code?: string; readonly message?: string } {
    const command = [process.execPath, OPEN_STATE, path];
    if (isRoot) command.unshift("setpriv", "--inh-caps=-all", "--bounding-set=-all");
    const { stdout, stderr } = spawnSync(command[0]!, command.slice(1), { encoding: "utf8" });
    if (stdout === "") throw new Error(`nothing was printed, but: ${stderr}`);
    return JSON.parse(stdout) as { readonly code?: string };
  }

  it.each([0o750, 0o705, 0o701, 0o770])("that others can reach (mode %o)", (mode) => {
    using folder = temporaryFolder();
    open(folder.path);
    chmodSync(folder.path, mode);
    const { code, message } = refusal(() => open(folder.path));
    expect(code).toBe("StateExposed");
    expect(message).toContain(`chmod 700 ${folder.path}`);
  });

  it.each(FILES)("whose %s others can read", (name) => {
    using folder = temporaryFolder();
    open(folder.path);
    chmodSync(join(folder.path, name), 0o640);
    const { code, path, message } = refusal(() => open(folder.path));
    expect([code, path]).toEqual(["StateExposed", join(folder.path, name)]);
    expect(message).toContain(`chmod 600 ${join(folder.path, name)}`);
  });

  (isRoot ? it : it.skip)("that belongs to somebody else, who could have put keys of theirs into it", () => {
    using folder = temporaryFolder();
    open(folder.path);
    chownSync(join(folder.path, "root.pem"), NOBODY, NOBODY);
    expect(refusal(() => open(folder.path))).toMatchObject({ code: "StateOwnedByAnother", path: join(folder.path, "root.pem") });
  });

  it("in which a key is a symbolic link", () => {
    using folder = temporaryFolder();
    const [path, target] = [join(folder.path, "state"), join(folder.path, "elsewhere")];
    open(path);
    writeFileSync(target, readFileSync(join(path, "root.pem")), { mode: 0o600 });
    unlinkSync(join(path, "root.pem"));
    symlinkSync(target, join(path, "root.pem"));
    expect(refusal(() => open(path)).code).toBe("StateNotReadable");
  });

  it("in which a key is a folder", () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "root.pem"), { mode: 0o700 });
    expect(refusal(() => open(folder.path)).code).toBe("StateCorrupt");
  });

  it("that lost its root", () => {
    using folder = temporaryFolder();
    open(folder.path);
    unlinkSync(join(folder.path, "root.pem"));
    expect(refusal(() => open(folder.path)).code).toBe("StateCorrupt");
  });

  it.each(FILES)("whose %s is empty, cut short, or something else", (name) => {
    using folder = temporaryFolder();
    open(folder.path);
    const path = join(folder.path, name);
    const whole = readFileSync(path, "utf8");
    for (const content of [
      "",
      whole.slice(0, whole.length / 2),
      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
      whole.slice(0, 40) + "!" + whole.slice(41),
      "x".repeat(100_000),
    ]) {
      writeFileSync(path, content);
      expect(refusal(() => open(folder.path))).toMatchObject({ code: "StateCorrupt", path });
    }
  });

  it.each<[string, (mine: string, theirs: string) => void, StateErrorCode, string]>([
    [
      "whose intermediate has another's key",
      (mine, theirs) => swapKey(join(mine, "intermediate.pem"), join(theirs, "intermediate.pem")),
      "StateKeyMismatch",
      "intermediate.pem",
    ],
    [
      "whose root has another's key",
      (mine, theirs) => swapKey(join(mine, "root.pem"), join(theirs, "root.pem")),
      "StateKeyMismatch",
      "root.pem",
    ],
    [
      "whose intermediate is of another mesh",
      (mine, theirs) => copy(theirs, mine, "intermediate.pem"),
      "StateBrokenChain",
      "intermediate.pem",
    ],
    ["whose root is of another mesh", (mine, theirs) => copy(theirs, mine, "root.pem"), "StateBrokenChain", "intermediate.pem"],
    [
      "whose root is an intermediate",
      (mine) => writeFileSync(join(mine, "root.pem"), readFileSync(join(mine, "intermediate.pem"))),
      "StateCorrupt",
      "root.pem",
    ],
  ])("%s", (_, damage, code, name) => {
    using mine = temporaryFolder();
    using theirs = temporaryFolder();
    open(mine.path);
    open(theirs.path);
    damage(mine.path, theirs.path);
    expect(refusal(() => open(mine.path))).toMatchObject({ code, path: join(mine.path, name) });
  });

  it("whose root has expired", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    open(folder.path, clock);
    clock.skip(3650 * DAY);
    expect(refusal(() => open(folder.path, clock))).toMatchObject({ code: "StateExpired", path: join(folder.path, "root.pem") });
  });

  it("whose certificates are of the future, for then the clock is wrong", () => {
    using folder = temporaryFolder();
    const clock = new FakeClock();
    open(folder.path, clock);
    clock.skip(-HOUR);
    expect(refusal(() => open(folder.path, clock)).code).toBe("StateNotYetValid");
  });

  it("that is of a mesh with another trust domain", () => {
    using folder = temporaryFolder();
    open(folder.path);
    const { code, message } = refusal(() => open(folder.path, new FakeClock(), "example.org"));
    expect(code).toBe("StateTrustDomainMismatch");
    expect(message).toContain("spiffe://cluster.local");
    expect(message).toContain("spiffe://example.org");
  });
});

describe("a rotation of the root that a crash interrupted", () => {
  function read(path: string, name: string): Buffer {
    return readFileSync(join(path, name));
  }

  it("is as it was before activation when only the copy of the old root had been written", () => {
    using folder = temporaryFolder();
    const authority = open(folder.path);
    authority.prepareRoot();
    writeFileSync(join(folder.path, "root-previous.pem"), read(folder.path, "root.pem"), { mode: 0o600 });
    const { trust, generation } = authority;
    const after = open(folder.path);
    expect(after.trust).toEqual(trust);
    expect(after.generation).toBe(generation);
    after.activateRoot();
    expect(open(folder.path).generation).not.toBe(generation);
  });

  it("is completed when the new root stands above the old intermediate", () => {
    using folder = temporaryFolder();
    const authority = open(folder.path);
    const oldIntermediate = read(folder.path, "intermediate.pem");
    authority.prepareRoot();
    authority.activateRoot();
    writeFileSync(join(folder.path, "intermediate.pem"), oldIntermediate);
    expect(open(folder.path).trust).toEqual(authority.trust);
    expect(read(folder.path, "intermediate.pem")).not.toEqual(oldIntermediate);

    const newIntermediate = read(folder.path, "intermediate.pem");
    authority.revertRoot();
    writeFileSync(join(folder.path, "intermediate.pem"), newIntermediate);
    expect(open(folder.path).trust).toEqual(authority.trust);
  });
});

function swapKey(path: string, other: string): void {
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/;
  writeFileSync(path, readFileSync(path, "utf8").replace(key, key.exec(readFileSync(other, "utf8"))![0]));
}

function copy(from: string, to: string, name: string): void {
  writeFileSync(join(to, name), readFileSync(join(from, name)));
}
