import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { FolderWatch } from "./folder-watch.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "seawall-watch-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function watching(): { watch: FolderWatch; event: () => Promise<void> } {
  let waiting: (() => void) | undefined;
  const watch = new FolderWatch(() => waiting?.());
  return { watch, event: () => new Promise((resolve) => (waiting = resolve)) };
}

describe("a watched folder", () => {
  it("is watched anew when another takes its place, even one that cannot be told from it", async () => {
    const { watch, event } = watching();
    const path = join(folder, "sub");
    mkdirSync(path);
    const folders = new Map([[path, { signature: "always the same" }]]);
    expect(watch.follow(folders)).toBe(true);
    expect(watch.follow(folders)).toBe(false);
    const removed = event();
    rmSync(path, { recursive: true });
    await removed;
    mkdirSync(path);
    expect(watch.follow(folders)).toBe(true);
    const changed = event();
    writeFileSync(join(path, "a.yaml"), "");
    await changed;
    watch.close();
  });

  it("reports events of the names that matter only", async () => {
    let reported = 0;
    const picky = new FolderWatch(() => reported++);
    const { watch: any, event } = watching();
    picky.follow(new Map([[folder, { signature: "1", names: new Set(["b"]) }]]));
    any.follow(new Map([[folder, { signature: "1" }]]));
    // The second of two watches of a folder is told last.
    const other = event();
    writeFileSync(join(folder, "a"), "");
    await other;
    expect(reported).toBe(0);
    const own = event();
    writeFileSync(join(folder, "b"), "");
    await own;
    expect(reported).toBeGreaterThan(0);
    picky.close();
    any.close();
  });

  it("reports no event of a hidden name where none can matter", async () => {
    let passed = 0;
    let report: (passed: number) => void = () => undefined;
    const first = new Promise<number>((resolve) => (report = resolve));
    const picky = new FolderWatch(() => report(passed));
    // The second of two watches of a folder is told last.
    const any = new FolderWatch(() => passed++);
    picky.follow(new Map([[folder, { signature: "1", hiddenIgnored: true }]]));
    any.follow(new Map([[folder, { signature: "1" }]]));
    writeFileSync(join(folder, ".a.yaml.tmp"), "");
    renameSync(join(folder, ".a.yaml.tmp"), join(folder, "a.yaml"));
    expect(await first).toBeGreaterThanOrEqual(2);
    picky.close();
    any.close();
  });

  it("that cannot be watched is a failure that names it, until it is given up", () => {
    const { watch } = watching();
    const path = join(folder, "nowhere");
    expect(watch.follow(new Map([[path, { signature: "1" }]]))).toBe(false);
    expect(watch.failures).toEqual([{ path, code: "ENOENT" }]);
    watch.follow(new Map());
    expect(watch.failures).toEqual([]);
  });
});
