/** A real folder, real events: what is saved becomes entries, and what is wrong is told. Nothing waits for a time to pass. */
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { Graph } from "../../collections/graph.ts";
import type { SourceEntry } from "../../model/source-entry.ts";
import { FileSource, readManifests } from "./file-source.ts";
import { guard, pace, service, testKinds } from "./testing/kinds.ts";
import { FOR_EVER, folder, opened, KINDS, open, requestsOf, save, specOf, write } from "./testing/watched-folder.ts";

describe("opening a folder", () => {
  it("reads all of it, subfolders too, and marks the sources synced once it has", () => {
    write("a.yaml", guard("a"));
    write("deep/er/b.yml", `${service("b")}---\n${pace("fast", 1)}`);
    write("c.json", JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name: "c" } }));
    const graph = new Graph();
    const sources = new Map(KINDS.map((kind) => [kind, graph.source<string, SourceEntry>(kind)]));
    const publications: number[] = [];
    graph.onTick(() => publications.push(KINDS.reduce((sum, kind) => sum + (sources.get(kind)?.size ?? 0), 0)));
    expect(graph.tick().published).toBe(false);
    const opening = FileSource.open({ folder, kinds: testKinds, source: (kind) => sources.get(kind) });
    if (opening.kind === "open") opened.push(opening.source);
    graph.tick();
    expect(publications).toEqual([4]);
    expect(sources.get("Pod")!.get("Pod/default/c")).toEqual({
      state: "valid",
      object: { apiVersion: "v1", kind: "Pod", metadata: { name: "c", namespace: "default" } },
      origin: { file: join(folder, "c.json"), line: 1 },
      warnings: [],
    });
  });

  it("does not read what editors and systems leave lying about", () => {
    for (const name of [".a.yaml.swp", ".hidden.yaml", "a.yaml~", "#a.yaml#", ".#a.yaml", "4913", "README.md", ".git/x.yaml"]) {
      write(name, "not: [a manifest");
    }
    const { states, problems } = open();
    expect([states(), problems()]).toEqual([[], []]);
  });

  it.each([
    [
      "that does not exist",
      () => join(folder, "nowhere"),
      "FolderNotFound",
      "nowhere does not exist, or is a symbolic link that leads nowhere: create it, or name another path",
    ],
    ["that is a file", () => join(folder, "a.yaml"), "NotAFolder", "a.yaml is not a folder: name the folder that holds the manifests"],
    [
      "whose name leads in a circle",
      () => join(folder, "circle"),
      "FolderUnreadable",
      "circle is a symbolic link that leads in a circle: remove it",
    ],
  ])("says what to do about one %s", (_name, path, code, message) => {
    write("a.yaml", "");
    symlinkSync("circle", join(folder, "circle"));
    const opening = FileSource.open({ folder: path(), kinds: testKinds, source: () => undefined });
    expect(opening).toEqual({ kind: "failed", code, message: `${folder}/${message}` });
  });
});

describe("a save", () => {
  it("in place is seen", async () => {
    write("a.yaml", pace("fast", 10));
    const { entry, until } = open();
    write("a.yaml", pace("fast", 11));
    await until(() => requestsOf(entry("ClusterPace//fast")) === 11);
  });

  it("by renaming is seen, and the editor's own files are not", async () => {
    save("a.yaml", guard("a"));
    const { entry, until, problems } = open();
    save("a.yaml", guard("a", "  enforcement: Audit\n"));
    await until(() => specOf(entry("Guard/shop/a"))["enforcement"] === "Audit");
    expect(problems()).toEqual([]);
  });

  it("that changes nothing is silent, and one of many objects publishes that one", async () => {
    const text = [1, 2, 3].map((number) => pace(`p${number}`, number)).join("---\n");
    write("a.yaml", text);
    write("b.yaml", guard("b"));
    const { until, published, source, graph } = open();
    const seen = published();
    write("a.yaml", text);
    source.rescan();
    expect(graph.tick().published).toBe(false);
    save("a.yaml", text.replace("requests: 2", "requests: 9"));
    await until(() => seen.changes.length > 0);
    expect(seen.changes.map(([key]) => key)).toEqual(["ClusterPace//p2"]);
  });

  it("of the same length within the same moment is not missed", () => {
    const { source, graph, entry } = open();
    for (let requests = 10; requests < 60; requests++) {
      write("a.yaml", pace("fast", requests));
      source.rescan();
      graph.tick();
      expect(requestsOf(entry("ClusterPace//fast"))).toBe(requests);
    }
  });

  it("in a folder that was created a moment before is seen", async () => {
    const { states, until } = open();
    for (let round = 0; round < 5; round++) {
      write(`new${round}/deep/er/a.yaml`, pace(`p${round}`, 1));
      await until(() => states().length === round + 1);
    }
    write("new4/deep/er/b.yaml", pace("late", 1));
    await until(() => states().includes("ClusterPace//late valid"));
  });

  it("in folders that somebody creates while they are looked at is seen", async () => {
    const { states, until } = open();
    const script = `
      const { mkdirSync, writeFileSync } = require("node:fs");
      for (let n = 0; n < 200; n++) {
        mkdirSync("n" + n);
        writeFileSync("n" + n + "/a.yaml", ${JSON.stringify(pace("NAME", 1))}.replace("NAME", "p" + n));
      }`;
    const writer = spawn(process.execPath, ["-e", script], { cwd: folder, stdio: "inherit" });
    await once(writer, "exit");
    await until(() => states().length === 200);
  });

  it("in a folder that was removed and created again is seen", async () => {
    write("sub/a.yaml", pace("a", 1));
    const { states, until } = open();
    for (let round = 0; round < 3; round++) {
      rmSync(join(folder, "sub"), { recursive: true });
      await until(() => states().length === 0);
      write("sub/a.yaml", pace("a", round + 2));
      await until(() => states().length === 1);
    }
  });

  it("by swapping the symbolic link of a mounted volume is seen", async () => {
    mkdirSync(join(folder, "..v1"));
    mkdirSync(join(folder, "..v2"));
    write("..v1/a.yaml", pace("a", 1));
    write("..v2/a.yaml", pace("a", 2));
    symlinkSync("..v1", join(folder, "..data"));
    symlinkSync("..data/a.yaml", join(folder, "a.yaml"));
    const { entry, until } = open();
    expect(requestsOf(entry("ClusterPace//a"))).toBe(1);
    symlinkSync("..v2", join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    await until(() => requestsOf(entry("ClusterPace//a")) === 2);
  });

  it("behind a symbolic link that leads out of the folder is seen", async () => {
    const outside = join(dirname(folder), "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "a.yaml"), pace("a", 1));
    writeFileSync(join(outside, "b.yaml"), pace("b", 1));
    symlinkSync(join(outside, "b.yaml"), join(folder, "b.yaml"));
    const { entry, states, until } = open();
    expect(states()).toEqual(["ClusterPace//b valid"]);
    writeFileSync(join(outside, "b.yaml"), pace("b", 2));
    await until(() => requestsOf(entry("ClusterPace//b")) === 2);
    symlinkSync(outside, join(folder, "linked"));
    await until(() => states().includes("ClusterPace//a valid"));
    writeFileSync(join(outside, "a.yaml"), pace("a", 3));
    await until(() => requestsOf(entry("ClusterPace//a")) === 3);
  });

  it("of a link that leads back is no endless way", () => {
    write("sub/a.yaml", pace("a", 1));
    symlinkSync("..", join(folder, "sub", "back"));
    const { states, problems } = open();
    expect([states(), problems()]).toEqual([["ClusterPace//a valid"], []]);
  });
});

describe("a deletion", () => {
  it("of a file, of a document, and of a folder removes the objects", async () => {
    write("a.yaml", `${pace("a", 1)}---\n${pace("b", 1)}`);
    write("sub/c.yaml", guard("c"));
    const { states, until } = open();
    save("a.yaml", pace("b", 1));
    await until(() => states().join() === "ClusterPace//b valid,Guard/shop/c valid");
    unlinkSync(join(folder, "a.yaml"));
    await until(() => states().join() === "Guard/shop/c valid");
    rmSync(join(folder, "sub"), { recursive: true });
    await until(() => states().length === 0);
  });

  it("of the folder itself keeps what was there and says so, until there is one again", async () => {
    write("a.yaml", guard("a"));
    const { states, problems, until } = open({ settleMs: 0 });
    renameSync(folder, `${folder}.away`);
    await until(() => problems().length > 0);
    expect(problems()).toEqual([`${folder}:1 - NotFound`]);
    expect(states()).toEqual(["Guard/shop/a valid"]);
    mkdirSync(folder);
    write("b.yaml", pace("b", 1));
    await until(() => states().join() === "ClusterPace//b valid");
    expect(problems()).toEqual([]);
    save("b.yaml", pace("c", 1));
    await until(() => states().join() === "ClusterPace//c valid");
  });
});

describe("a save that is seen half-way", () => {
  it("changes nothing until the rest is there", () => {
    const text = `${guard("a")}---\n${guard("b")}`;
    write("a.yaml", text);
    const { source, graph, states, published } = open({ settleMs: FOR_EVER });
    const seen = published();
    for (const half of ["", text.slice(0, 40), guard("a"), `${guard("a")}---\nspec: [`]) {
      write("a.yaml", half);
      source.rescan();
      expect(graph.tick().published).toBe(false);
    }
    unlinkSync(join(folder, "a.yaml"));
    source.rescan();
    expect(graph.tick().published).toBe(false);
    write("a.yaml", `${text}---\n${guard("c")}`);
    source.rescan();
    graph.tick();
    expect(seen.changes.map(([key, change]) => `${change.kind} ${key}`)).toEqual(["added Guard/shop/c"]);
    expect(states()).toEqual(["Guard/shop/a valid", "Guard/shop/b valid", "Guard/shop/c valid"]);
  });

  it("is told from one that is put in place whole, and may say less at once", () => {
    write("a.yaml", `${guard("a")}---\n${guard("b", "  enforcement: Audit\n")}`);
    const { source, graph, states, entry } = open({ settleMs: FOR_EVER });
    write("a.yaml", guard("b"));
    source.rescan();
    graph.tick();
    expect(states()).toEqual(["Guard/shop/a valid", "Guard/shop/b valid"]);
    save("a.yaml", guard("b", "  enforcement: Enforce\n"));
    source.rescan();
    graph.tick();
    expect(states()).toEqual(["Guard/shop/b valid"]);
    save("a.yaml", guard("b").padEnd(512, "#"));
    source.rescan();
    graph.tick();
    expect(specOf(entry("Guard/shop/b"))).not.toHaveProperty("enforcement");
    save("a.yaml", "".padEnd(512, "#"));
    source.rescan();
    graph.tick();
    expect(states()).toEqual(["Guard/shop/b valid"]);
  });

  it("is what was meant when nothing follows", async () => {
    write("a.yaml", guard("a"));
    const { states, until, problems } = open();
    write("a.yaml", "");
    await until(() => states().length === 0);
    expect(problems()).toEqual([]);
  });

  it("leaves no gap when a file gets another name, or an object another file", () => {
    write("a.yaml", `${guard("a")}---\n${guard("b")}`);
    const { source, graph, entry, published, problems } = open({ settleMs: FOR_EVER });
    const seen = published();
    renameSync(join(folder, "a.yaml"), join(folder, "z.yaml"));
    source.rescan();
    graph.tick();
    save("z.yaml", guard("a"));
    write("b.yaml", guard("b", "  enforcement: Audit\n"));
    source.rescan();
    graph.tick();
    expect(seen.changes.map(([, change]) => change.kind)).toEqual(["updated", "updated", "updated"]);
    expect(entry("Guard/shop/b")).toMatchObject({
      state: "valid",
      origin: { file: join(folder, "b.yaml") },
      object: { spec: { enforcement: "Audit" } },
    });
    expect(problems()).toEqual([]);
  });
});

describe("closing", () => {
  it("ends the watching: nothing keeps the process alive, and nothing is read any more", async () => {
    const watches = (): number => process.getActiveResourcesInfo().filter((resource) => resource === "FSEventWrap").length;
    const before = watches();
    write("a.yaml", guard("a"));
    const { source, graph, states } = open();
    expect(watches()).toBeGreaterThan(before);
    source.close();
    write("a.yaml", guard("b"));
    await new Promise(setImmediate);
    graph.tick();
    expect(states()).toEqual(["Guard/shop/a valid"]);
    expect(watches()).toBeLessThanOrEqual(before);
  });
});

describe("reading once", () => {
  it("reads files and folders as the source would, whatever the files are called", () => {
    write("a.yaml", `${guard("a")}---\n${pace("fast", "fast")}`);
    write("policy.txt", guard("c"));
    const read = readManifests([join(folder, "a.yaml"), join(folder, "policy.txt")], { kinds: testKinds });
    if (read.kind === "failed") throw new Error(read.message);
    expect([...read.entries].map(([key, { state }]) => `${key} ${state}`)).toEqual([
      "Guard/shop/a valid",
      "ClusterPace//fast invalid",
      "Guard/shop/c valid",
    ]);
    expect(read.problems.map(({ path, line }) => `${path} ${line}`)).toEqual(["spec.requests 15"]);
    expect(readManifests([folder, join(folder, "no")], { kinds: testKinds })).toMatchObject({ kind: "failed", code: "FolderNotFound" });
  });
});
