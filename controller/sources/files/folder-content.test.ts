import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { SourceEntry } from "../../model/source-entry.ts";
import { FolderContent } from "./folder-content.ts";
import { scanFolders } from "./folder-scan.ts";
import { knownKinds } from "../known-kinds.ts";
import { guard, pace, testKinds } from "./testing/kinds.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "seawall-content-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function content(clock: { now: number; wall: number }): { content: FolderContent; entries: Map<string, SourceEntry | undefined> } {
  const entries = new Map<string, SourceEntry | undefined>();
  const made = new FolderContent({
    kinds: knownKinds(testKinds),
    maxFileBytes: 10_000,
    settleMs: 20,
    now: () => clock.now,
    wallClock: () => clock.wall,
  });
  return { content: made, entries };
}

describe("a file whose stamp has not changed", () => {
  it("is read again while the stamp is so young that a second change may share it, and not later", () => {
    const path = join(folder, "a.yaml");
    const clock = { now: 0, wall: Date.now() };
    const { content: it, entries } = content(clock);
    writeFileSync(path, pace("fast", 1));
    const scan = scanFolders([folder]);
    const requestsNow = (): unknown => {
      it.update(scan);
      it.flush((_kind, key, entry) => entries.set(key, entry));
      const entry = entries.get("ClusterPace//fast");
      return entry?.state === "valid" ? entry.object.spec : undefined;
    };
    expect(requestsNow()).toEqual({ requests: 1 });
    writeFileSync(path, pace("fast", 2));
    expect(requestsNow()).toEqual({ requests: 2 });
    clock.wall += 1000;
    expect(requestsNow()).toEqual({ requests: 2 });
    writeFileSync(path, pace("fast", 3));
    expect(requestsNow()).toEqual({ requests: 2 });
  });
});

describe("a version that says less", () => {
  it("is believed when it has stood for 20 ms, counted anew from every change", () => {
    const path = join(folder, "a.yaml");
    const clock = { now: 0, wall: Date.now() };
    const { content: it, entries } = content(clock);
    const look = (text: string): (number | undefined)[] => {
      writeFileSync(path, text);
      it.update(scanFolders([folder]));
      it.flush((_kind, key, entry) => (entry === undefined ? entries.delete(key) : entries.set(key, entry)));
      return [entries.size, it.untilNextDecision()];
    };
    expect(look(`${guard("a")}---\n${guard("b")}`)).toEqual([2, undefined]);
    expect(look("")).toEqual([2, 20]);
    clock.now = 15;
    expect(look("")).toEqual([2, 5]);
    expect(look(guard("a"))).toEqual([2, 20]);
    clock.now = 34;
    expect(look(guard("a"))).toEqual([2, 1]);
    clock.now = 35;
    expect(look(guard("a"))).toEqual([1, undefined]);
    expect(look(`${guard("a")}---\n${guard("c")}`)).toEqual([2, undefined]);
    expect(look("")).toEqual([2, 20]);
    expect(look(`${guard("a")}---\n${guard("c")}`)).toEqual([2, undefined]);
  });
});
