/** What is wrong in a real folder is told, and what it does to the objects. Nothing waits for a time to pass. */
import { chmodSync, mkdirSync, readFileSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { guard, pace, service } from "./testing/kinds.ts";
import { folder, hasTargets, open, requestsOf, save, specOf, write } from "./testing/watched-folder.ts";

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
