import { describe, expect, it } from "@jest/globals";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { seawall } from "./testing/run-seawall.ts";
import { seawall as seawallInProcess } from "./testing/seawall-in-process.ts";

describe("the command line", () => {
  it("prints help and the version, and ends with 0", async () => {
    const help = await seawall(["--help"]);
    expect([help.code, help.messages]).toEqual([0, ""]);
    expect(help.output).toContain("seawall <command>");
    expect(help.output).toContain("Exit codes:");
    const version = await seawall(["--version"]);
    expect([version.code, version.output]).toEqual([0, "0.1.0\n"]);
  });

  it("gives every command help with examples", async () => {
    const { output } = await seawallInProcess(["--help"]);
    const commands = [...output.matchAll(/^ {2}([a-z]+) {2,}/gm)].flatMap(([, name]) =>
      name === undefined || name === "help" ? [] : [name],
    );
    expect(commands).toContain("sidecar");
    for (const name of commands) {
      const help = await seawallInProcess(["help", name]);
      expect([name, help.code]).toEqual([name, 0]);
      const subcommands = [...(help.output.split("\nCommands:\n")[1] ?? "").matchAll(/^ {2}([a-z]+) /gm)].map(([, sub]) => sub ?? "");
      const texts = [
        help.output,
        ...(await Promise.all(subcommands.map(async (sub) => (await seawallInProcess([name, sub, "--help"])).output))),
      ];
      expect([name, texts.some((text) => text.includes("\nExamples:\n"))]).toEqual([name, true]);
    }
  });

  it.each([
    ["no command", [], "Usage: seawall <command>"],
    ["a command that is misspelled", ["tokn"], "Did you mean token?"],
    ["an option that is misspelled", ["token", "create", "shop/web", "--tll", "1h"], "Did you mean --ttl?"],
    ["a missing argument", ["token", "create"], "seawall token create --help shows what is possible"],
    ["a duration that is none", ["token", "create", "shop/web", "--ttl", "1x"], "write a duration such as 24h"],
    ["a pod without namespace", ["token", "create", "web"], "write <namespace>/<pod>"],
    ["an address without port", ["sidecar", "--token-file", "t", "--control-plane", "localhost"], "write host:port"],
    ["an output format that does not exist", ["token", "create", "shop/web", "-o", "xml"], "Allowed choices are table, json, yaml"],
  ])("answers %s with 2 and a hint, never with a stack trace", async (_, args, hint) => {
    const { code, output, messages } = await seawallInProcess(args);
    expect([code, output]).toEqual([2, ""]);
    expect(messages).toContain(hint);
    expect(messages).not.toMatch(/^\s+at /m);
  });
});

describe("seawall token create", () => {
  it("prints a token, or data about it, or writes it to a file that only its owner can read", async () => {
    const state = await mkdtemp(join(tmpdir(), "seawall-state-"));
    const common = ["token", "create", "shop/web", "--ttl", "1h", "--state-dir", state];
    const plain = await seawall(common);
    expect([plain.code, plain.messages]).toEqual([0, ""]);
    expect(plain.output).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);

    const json = JSON.parse((await seawall([...common, "-o", "json"])).output) as Record<string, string>;
    expect(Object.keys(json)).toEqual(["namespace", "pod", "expiresAt", "token"]);
    expect(Date.parse(json["expiresAt"] ?? "") - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect(parse((await seawall([...common, "-o", "yaml"])).output)).toMatchObject({ namespace: "shop", pod: "web" });

    const file = join(state, "web.token");
    const written = await seawall([...common, "-w", file]);
    expect([written.code, written.output]).toEqual([0, ""]);
    expect(written.messages).toContain(`the token of shop/web is in ${file}`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, "utf8")).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    await rm(state, { recursive: true });
  });

  it("says what to do when the state folder cannot be used", async () => {
    const folder = await mkdtemp(join(tmpdir(), "seawall-state-"));
    const file = join(folder, "file");
    await writeFile(file, "");
    const { code, messages } = await seawall(["token", "create", "shop/web", "--state-dir", join(file, "state")]);
    expect(code).toBe(1);
    expect(messages).toContain("Choose a state folder");
    expect(messages).not.toMatch(/^\s+at /m);
    await rm(folder, { recursive: true });
  });
});

describe("seawall completion", () => {
  /** What bash would offer after these words. */
  async function offered(...words: string[]): Promise<string[]> {
    const { output: script } = await seawallInProcess(["completion", "bash"]);
    const program = `${script}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _seawall; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await promisify(execFile)("bash", ["--norc", "-c", program]);
    return stdout.split("\n").filter((line) => line !== "");
  }

  it("offers bash what the commands know", async () => {
    expect(await offered("seawall", "to")).toEqual(["token"]);
    expect(await offered("seawall", "token", "")).toEqual(["create"]);
    expect(await offered("seawall", "token", "create", "--t")).toEqual(["--ttl"]);
    expect(await offered("seawall", "token", "create", "-o", "")).toEqual(["table", "json", "yaml"]);
    expect(await offered("seawall", "token", "create", "-w", "")).toEqual([]);
    expect(await offered("seawall", "completion", "z")).toEqual(["zsh"]);
  });

  it.each(["zsh", "fish"])("writes a script for %s", async (shell) => {
    const { code, output } = await seawallInProcess(["completion", shell]);
    expect(code).toBe(0);
    expect(output).toContain("--token-file".slice(2));
  });
});
