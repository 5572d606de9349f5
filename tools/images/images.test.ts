import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packDockerArchive } from "./docker-archive.ts";
import type { ImageRun } from "./image.ts";
import { productionPackages } from "./production-packages.ts";
import { type RootFileSystem, assemble, sharedLibraries } from "./root-file-system.ts";
import { controlPlaneImage, NODE, REPOSITORY, systemFiles } from "./seawall-images.ts";

const RUN: ImageRun = { user: "1000:1000", entrypoint: ["/bin/node"], environment: { A: "b" } };
const TREE: RootFileSystem = {
  programs: [{ from: NODE.from, to: "/bin/node" }],
  texts: systemFiles({ app: 1000 }),
  links: { "/bin/other": "node" },
};

describe("an assembled image", () => {
  const work = mkdtempSync(join(tmpdir(), "seawall-images-"));
  const root = join(work, "root");
  const archive = join(work, "image.tar");

  beforeAll(async () => {
    assemble(root, TREE);
    await packDockerArchive(root, ["localhost/tested:1"], RUN, archive);
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  const untarred = (path: string): Buffer =>
    spawnSync("tar", ["--extract", "--to-stdout", "--file", archive, path], { maxBuffer: 2 ** 30 }).stdout;

  it("has a program with its loader and every library that it asks for", () => {
    const libraries = sharedLibraries(NODE.from);
    expect(libraries.some((path) => path.includes("/ld-linux"))).toBe(true);
    expect(libraries.some((path) => path.includes("/libc.so"))).toBe(true);
    for (const path of libraries) expect(statSync(join(root, path)).isFile()).toBe(true);
  });

  it("says in its archive who runs it, how, and which layer it has", () => {
    const [manifest] = JSON.parse(untarred("manifest.json").toString()) as [{ Config: string; RepoTags: string[]; Layers: [string] }];
    expect(manifest.RepoTags).toEqual(["localhost/tested:1"]);
    const config = untarred(manifest.Config);
    expect(manifest.Config).toBe(`${createHash("sha256").update(config).digest("hex")}.json`);
    const layer = createHash("sha256").update(untarred(manifest.Layers[0])).digest("hex");
    expect(JSON.parse(config.toString())).toMatchObject({
      config: { User: "1000:1000", Entrypoint: ["/bin/node"], Env: ["A=b"], WorkingDir: "/" },
      rootfs: { type: "layers", diff_ids: [`sha256:${layer}`] },
    });
  });

  it("is the same, byte for byte, when it is made again from the same files", async () => {
    const again = { root: join(work, "again"), archive: join(work, "again.tar") };
    assemble(again.root, TREE);
    await packDockerArchive(again.root, ["localhost/tested:1"], RUN, again.archive);
    expect(readFileSync(again.archive).equals(readFileSync(archive))).toBe(true);
  });

  it("belongs to root, and only /tmp can be written by others", () => {
    const layer = join(work, "layer.tar");
    spawnSync("sh", ["-c", `tar --extract --to-stdout --file ${archive} layer.tar > ${layer}`]);
    const listed = spawnSync("tar", ["--list", "--verbose", "--numeric-owner", "--file", layer], { encoding: "utf8" }).stdout;
    const entries = listed
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith("l"));
    expect(entries.filter((line) => !/^\S+ 0\/0 /.test(line))).toEqual([]);
    expect(entries.filter((line) => line[5] === "w" || line[8] === "w").map((line) => line.split(" ").at(-1))).toEqual(["./tmp/"]);
    expect(entries.filter((line) => line[7] !== "r")).toEqual([]);
  });

  it("has of a folder what is wanted of it, wherever the folder is and whatever leads to it", () => {
    const folder = join(work, "node_modules", "kept");
    mkdirSync(join(folder, "node_modules", "nested"), { recursive: true });
    for (const path of ["program.js", "program.js.map", "node_modules/nested/program.js"]) writeFileSync(join(folder, path), "");
    symlinkSync(folder, join(work, "link"));
    const only = (path: string): boolean => !path.endsWith(".map") && !path.split("/").includes("node_modules");
    const into = join(work, "filtered");
    assemble(into, { programs: [], copies: [{ from: join(work, "link"), to: "/app/kept", only }] });
    expect(readdirSync(join(into, "app"), { recursive: true })).toEqual(["kept", "kept/program.js"]);
  });

  it("is refused with a remedy when a part is not on this machine", () => {
    const missing = { programs: [{ from: "/nowhere/program", to: "/bin/program" }] };
    expect(() => assemble(join(work, "missing"), missing)).toThrow(/\/nowhere\/program is not on this machine.*make/);
  });
});

describe("the control plane's image", () => {
  it("holds no map of its programs, which would say in which folder they were built", () => {
    const work = mkdtempSync(join(tmpdir(), "seawall-images-"));
    try {
      const built = join(work, "dist");
      mkdirSync(join(built, "cli"), { recursive: true });
      for (const name of ["seawall.js", "seawall.js.map"]) writeFileSync(join(built, "cli", name), "");
      const { copies = [] } = controlPlaneImage(built).tree;
      assemble(join(work, "root"), { programs: [], copies: copies.filter(({ from }) => from === built) });
      expect(readdirSync(join(work, "root", "app", "dist"), { recursive: true })).toEqual(["cli", "cli/seawall.js"]);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
});

describe("the packages of the published command", () => {
  it("are those that it depends on, and none that only development needs", () => {
    const packages = productionPackages(REPOSITORY);
    expect(packages).toContain("node_modules/@grpc/grpc-js");
    expect(packages).not.toContain("node_modules/jest");
    expect(packages).not.toContain("node_modules/node");
    for (const path of packages) expect(existsSync(join(REPOSITORY, path, "package.json"))).toBe(true);
  });
});
