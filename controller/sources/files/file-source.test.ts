/** A real folder, real events: what is saved becomes entries, and what is wrong is told. Nothing waits for a time to pass. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Change, Source } from "../../collections/collection.ts";
import { Graph } from "../../collections/graph.ts";
import type { SourceEntry } from "../../model/source-entry.ts";
import { FileSource, type FileSourceOptions, readManifests } from "./file-source.ts";
import { guard, pace, service, testKinds } from "./testing/kinds.ts";

const KINDS = ["Guard", "ClusterPace", "Service", "Pod", "Secret"];
/** Longer than any test: what waits to be believed is not believed in it. */
const FOR_EVER = 3_600_000;

let folder = "";
let opened: FileSource[] = [];

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "seawall-files-")), "policies");
  mkdirSync(folder);
});
afterEach(() => {
  for (const source of opened) source.close();
  opened = [];
  rmSync(dirname(folder), { recursive: true });
});

interface Opened {
  readonly graph: Graph;
  readonly source: FileSource;
  readonly sources: ReadonlyMap<string, Source<string, SourceEntry>>;
  readonly entry: (key: string) => SourceEntry | undefined;
  /** `key state`, in order. */
  readonly states: () => string[];
  /** `file:line path reason`, without the folder. */
  readonly problems: () => string[];
  /** Resolves once the condition holds, looking after every tick and every report of problems. */
  readonly until: (condition: () => boolean) => Promise<void>;
  /** Keys that were published as changed, from now on. */
  readonly published: () => { readonly changes: [key: string, change: Change<SourceEntry>][] };
}

function open(options: Partial<FileSourceOptions> = {}): Opened {
  const graph = new Graph();
  const sources = new Map(KINDS.map((kind) => [kind, graph.source<string, SourceEntry>(kind)]));
  const opening = FileSource.open({ folder, kinds: testKinds, source: (kind) => sources.get(kind), ...options });
  if (opening.kind === "failed") throw new Error(opening.message);
  const { source } = opening;
  opened.push(source);
  graph.tick();
  const entry = (key: string): SourceEntry | undefined => sources.get(key.slice(0, key.indexOf("/")))?.get(key);
  return {
    graph,
    source,
    sources,
    entry,
    states: () => [...sources.values()].flatMap((one) => [...one.entries()].map(([key, value]) => `${key} ${value.state}`)).sort(),
    problems: () =>
      source.problems.map(
        ({ file, line, path, reason }) => `${file.replace(`${folder}/`, "")}:${line} ${path === "" ? "-" : path} ${reason}`,
      ),
    until: (condition) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!condition()) return;
          for (const stop of unsubscribe) stop();
          resolve();
        };
        const lookAfterTick = (): void => {
          graph.tick();
          look();
        };
        // What a problem is about has been staged when it is reported, and is read after the tick.
        const unsubscribe = [graph.onTick(look), source.onProblems(() => setImmediate(lookAfterTick))];
        look();
      }),
    published: () => {
      const changes: [string, Change<SourceEntry>][] = [];
      for (const one of sources.values()) one.onChange((changed) => changes.push(...changed));
      return { changes };
    },
  };
}

function write(name: string, text: string | Buffer): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** As careful editors save: whole, and then put in place. */
function save(name: string, text: string): void {
  write(`${name}.swp`, text);
  renameSync(join(folder, `${name}.swp`), join(folder, name));
}

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

describe("a mistake", () => {
  it("in an object leaves all others as they are", async () => {
    write("a.yaml", `${guard("a")}---\n${guard("b")}---\n${pace("fast", 1)}`);
    write("c.yaml", guard("c"));
    const { entry, states, until, problems, published } = open();
    const seen = published();
    save("a.yaml", `${guard("a")}---\n${guard("b", "  enforcment: Audit\n  extra: 1\n")}---\n${pace("fast", "fast")}`);
    await until(() => problems().length > 0);
    expect(states()).toEqual(["ClusterPace//fast invalid", "Guard/shop/a valid", "Guard/shop/b invalid", "Guard/shop/c valid"]);
    await until(() => seen.changes.length === 2);
    expect(seen.changes.map(([key]) => key)).toEqual(["Guard/shop/b", "ClusterPace//fast"]);
    expect(problems()).toEqual([
      "a.yaml:22 spec.enforcment UnknownField",
      "a.yaml:23 spec.extra UnknownField",
      "a.yaml:28 spec.requests WrongType",
    ]);
    expect(entry("Guard/shop/b")).toMatchObject({
      state: "invalid",
      identity: { kind: "Guard", namespace: "shop", name: "b" },
      origin: { file: join(folder, "a.yaml"), line: 13 },
      violations: [
        { path: "spec.enforcment", line: 22, column: 3 },
        { path: "spec.extra", line: 23 },
      ],
      lastGood: { spec: { action: "Allow" } },
      partial: { spec: { enforcment: "Audit" } },
    });
    expect(entry("ClusterPace//fast")).toMatchObject({ state: "invalid", lastGood: { spec: { requests: 1 } } });
    save("a.yaml", `${guard("a")}---\n${guard("b", "  enforcement: Audit\n")}---\n${pace("fast", 7)}`);
    await until(() => problems().length === 0);
    expect(specOf(entry("Guard/shop/b"))).toMatchObject({ enforcement: "Audit" });
  });

  it("in an object that never was right has no last good state", () => {
    write("a.yaml", pace("fast", "fast"));
    expect(open().entry("ClusterPace//fast")).not.toHaveProperty("lastGood");
  });

  it("in the syntax makes the object invalid whose name can still be read", async () => {
    write("a.yaml", `${guard("a")}---\n${guard("b")}`);
    const { entry, states, until } = open();
    save("a.yaml", `${guard("a").replace("[Same]}]", "[Same]")}---\n${guard("b")}`);
    await until(() => entry("Guard/shop/a")?.state === "invalid");
    expect(entry("Guard/shop/a")).toMatchObject({
      violations: [{ reason: "Malformed", file: join(folder, "a.yaml") }],
      lastGood: { metadata: { name: "a" } },
    });
    expect(states()).toEqual(["Guard/shop/a invalid", "Guard/shop/b valid"]);
  });

  it("that hides whose object it is breaks those that the file held and nobody gives any more", async () => {
    write("a.yaml", `${guard("a")}---\n${pace("fast", 1)}---\n${service("web")}`);
    const { entry, states, until, problems } = open();
    save("a.yaml", `kind: {{guard}}\n---\n${service("web")}`);
    await until(() => problems().length > 0);
    await until(() => entry("Guard/shop/a")?.state === "invalid");
    expect(states()).toEqual(["ClusterPace//fast invalid", "Guard/shop/a invalid", "Service/shop/web valid"]);
    expect(entry("Guard/shop/a")).toMatchObject({
      violations: [
        {
          reason: "NotFound",
          line: 1,
          message: `is no longer found in ${folder}/a.yaml, part of which cannot be read: mend that, or write the object elsewhere`,
        },
        { reason: "WrongType" },
        { reason: "Malformed" },
      ],
      lastGood: { metadata: { name: "a" } },
      partial: { metadata: { name: "a" } },
    });
    write("b.yaml", guard("a", "  enforcement: Audit\n"));
    await until(() => entry("Guard/shop/a")?.state === "valid");
    save("a.yaml", service("web"));
    await until(() => problems().length === 0);
    expect(states()).toEqual(["Guard/shop/a valid", "Service/shop/web valid"]);
  });

  it.each([
    ["a kind that is misspelt", (text: string) => text.replace("kind: Guard", "kind: Gaurd")],
    ["a name that cannot be one", (text: string) => text.replace("name: a", "name: A")],
    ["a missing name", (text: string) => text.replace("  name: a\n", "")],
    ["a missing line between documents", (text: string) => text.replace("---\n", "")],
    ["bytes that are no text", (text: string) => `${text}\0`],
  ])("never lets a policy go: %s", async (_name, breaking) => {
    const text = `${guard("a")}---\n${guard("b")}`;
    write("a.yaml", text);
    const { entry, until } = open();
    save("a.yaml", breaking(text));
    await until(() => entry("Guard/shop/a")?.state === "invalid");
    save("a.yaml", text);
    await until(() => entry("Guard/shop/a")?.state === "valid");
  });

  it("does not keep what is deleted beside an object of somebody else's", async () => {
    const foreign = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n";
    write("a.yaml", `${guard("a")}---\n${foreign}`);
    const { states, until } = open();
    save("a.yaml", foreign);
    await until(() => states().length === 0);
  });

  it("of size is refused unread, and the file's objects are kept for broken", async () => {
    write("a.yaml", guard("a"));
    const { entry, until, problems, source } = open({ maxFileBytes: 1000 });
    write("a.yaml", `${guard("a")}${"#".repeat(1000)}`);
    await until(() => entry("Guard/shop/a")?.state === "invalid");
    expect(problems()).toEqual(["a.yaml:1 - Malformed"]);
    expect(source.problems[0]!.message).toMatch(/^has 11\d\d bytes, and at most 1000 are read: split it, or raise the limit$/);
    write("a.yaml", guard("a"));
    await until(() => entry("Guard/shop/a")?.state === "valid");
  });

  it("of 5 MB is refused by default", () => {
    write("big.yaml", "# much\n".repeat(750_000));
    write("a.yaml", guard("a"));
    const { states, source } = open();
    expect(states()).toEqual(["Guard/shop/a valid"]);
    expect(source.problems.map(({ message }) => message)).toEqual([
      "has 5250000 bytes, and at most 4194304 are read: split it, or raise the limit",
    ]);
  });

  it("of the file system is told", async () => {
    write("a.yaml", guard("a"));
    const { problems, until, entry, source } = open();
    symlinkSync("nowhere.yaml", join(folder, "dangling.yaml"));
    mkdirSync(join(folder, "folder.yaml"));
    await until(() => problems().length > 0);
    expect(problems()).toEqual(["dangling.yaml:1 - Malformed"]);
    expect(source.problems[0]!.message).toContain("leads nowhere");
    unlinkSync(join(folder, "a.yaml"));
    symlinkSync("a.yaml", join(folder, "a.yaml"));
    await until(() => entry("Guard/shop/a")?.state === "invalid");
  });

  // The system lets root read everything.
  const asUser = process.getuid?.() === 0 ? it.skip : it;
  asUser("of permissions is told, and takes nothing away", async () => {
    write("a.yaml", guard("a"));
    write("sub/b.yaml", guard("b"));
    const { problems, states, until } = open();
    chmodSync(join(folder, "sub"), 0);
    write("c.yaml", guard("c"));
    await until(() => problems().length > 0);
    expect(problems()).toEqual([`sub:1 - NotFound`]);
    expect(states()).toEqual(["Guard/shop/a valid", "Guard/shop/b valid", "Guard/shop/c valid"]);
    chmodSync(join(folder, "sub"), 0o755);
    await until(() => problems().length === 0);
    save("sub/b.yaml", guard("d"));
    await until(() => states().join() === "Guard/shop/a valid,Guard/shop/c valid,Guard/shop/d valid");
  });
});

describe("an object in two places", () => {
  it("is the first by path, and both places are told", async () => {
    write("b.yaml", pace("fast", 2));
    const { entry, source, until, problems } = open();
    write("a.yaml", `# first\n${pace("fast", 1)}`);
    await until(() => problems().length > 0);
    expect(entry("ClusterPace//fast")).toMatchObject({
      state: "valid",
      object: { spec: { requests: 1 } },
      origin: { file: join(folder, "a.yaml"), line: 3 },
      warnings: [{ reason: "Duplicate", severity: "warning", message: `is also in ${folder}/b.yaml:2` }],
    });
    expect(source.problems).toMatchObject([
      {
        file: join(folder, "b.yaml"),
        line: 2,
        reason: "Duplicate",
        message: `ClusterPace fast is also in ${folder}/a.yaml:3, and that one stands: remove one of the two`,
      },
    ]);
    unlinkSync(join(folder, "a.yaml"));
    await until(() => requestsOf(entry("ClusterPace//fast")) === 2);
    await until(() => problems().length === 0);
  });

  it("refuses wherever either aims, when it is a security policy and they differ", async () => {
    write("b.yaml", guard("a", "  targetRefs: [{kind: Service, name: b}]\n"));
    const { entry, until, problems, source } = open();
    write("a.yaml", guard("a", "  targetRefs: [{kind: Service, name: a}]\n"));
    await until(() => problems().length > 0);
    expect(entry("Guard/shop/a")).toMatchObject({
      state: "invalid",
      violations: [{ reason: "Duplicate", path: "metadata.name", file: join(folder, "b.yaml") }],
      partial: {
        spec: {
          targetRefs: [
            { kind: "Service", name: "a" },
            { kind: "Service", name: "b" },
          ],
        },
      },
    });
    expect(source.problems[0]!.message).toBe(
      `Guard shop/a is also in ${folder}/a.yaml:2, and they differ, so what they target refuses: remove one of the two`,
    );
    write("a.yaml", guard("a"));
    await until(
      () => (entry("Guard/shop/a") as { partial?: { spec?: object } }).partial?.spec !== undefined && !hasTargets(entry("Guard/shop/a")),
    );
    save("a.yaml", readFileSync(join(folder, "b.yaml"), "utf8"));
    await until(() => entry("Guard/shop/a")?.state === "valid");
    expect(problems()).toEqual(["b.yaml:2 metadata.name Duplicate"]);
  });

  it("is told within one file too", () => {
    write("a.yaml", `${guard("a")}---\n${guard("a", "  enforcement: Audit\n")}`);
    const { states, problems } = open();
    expect(states()).toEqual(["Guard/shop/a invalid"]);
    expect(problems()).toEqual(["a.yaml:13 metadata.name Duplicate"]);
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

function specOf(entry: SourceEntry | undefined): Readonly<Record<string, unknown>> {
  return entry?.state === "valid" ? (entry.object.spec as Readonly<Record<string, unknown>>) : {};
}

function requestsOf(entry: SourceEntry | undefined): unknown {
  return specOf(entry)["requests"];
}

function hasTargets(entry: SourceEntry | undefined): boolean {
  return entry?.state === "invalid" && JSON.stringify(entry.partial).includes("targetRefs");
}
