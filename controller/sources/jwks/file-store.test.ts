import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { jwksFileStore } from "./file-store.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "seawall-key-sets-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the store of key sets", () => {
  it("keeps each URI's set in a file that others cannot write to", () => {
    const path = join(folder, "store");
    const store = jwksFileStore(path, (failure) => expect(failure).toBeUndefined());
    const set = '{"keys":[]}';
    store.write("https://a.example.com/", set, 1);
    expect(store.read("https://a.example.com/")).toEqual({ keys: set, goodAt: 1 });
    expect(store.read("https://b.example.com/")).toBeUndefined();
    const [name] = readdirSync(path);
    expect([statSync(path).mode & 0o777, statSync(join(path, name!)).mode & 0o777]).toEqual([0o700, 0o600]);
  });

  it("gives nothing for a file that was damaged, and reports what it cannot write", () => {
    const failures: unknown[] = [];
    const store = jwksFileStore(folder, (failure) => failures.push(failure));
    store.write("u", '{"keys":[]}', 1);
    const [name] = readdirSync(folder);
    for (const content of ["", "null", "[]", '{"uri":"u"}', '{"uri":"v","keys":"","goodAt":1}']) {
      writeFileSync(join(folder, name!), content);
      expect(store.read("u")).toBeUndefined();
    }
    jwksFileStore(join(folder, name!), (failure) => failures.push(failure)).write("u", "", 1);
    expect(failures).toEqual([expect.objectContaining({ code: expect.stringMatching(/^E/) as unknown })]);
  });
});
