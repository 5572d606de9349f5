/** Packs a file tree as a docker-archive, which `ctr images import`, `docker load` and `kind load image-archive` read. Nothing but tar is needed. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { arch } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ImageRun } from "./image.ts";

/** The same tree gives the same bytes: times and owners are those of no machine. */
const REPRODUCIBLE = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go+rX,go-w", "--format=gnu"];

/** Writes `archive`, one image of one layer with these names. */
export async function packDockerArchive(rootFolder: string, names: readonly string[], run: ImageRun, archive: string): Promise<void> {
  mkdirSync(dirname(archive), { recursive: true });
  const work = mkdtempSync(join(dirname(archive), "pack-"));
  try {
    const layer = join(work, "layer.tar");
    tar([...REPRODUCIBLE, "--exclude=./tmp", "--create", "--file", layer, "--directory", rootFolder, "."]);
    // The one folder that everybody may write: --mode would take that away.
    tar([
      "--sort=name",
      "--mtime=@0",
      "--owner=0",
      "--group=0",
      "--numeric-owner",
      "--append",
      "--file",
      layer,
      "--directory",
      rootFolder,
      "./tmp",
    ]);
    const config = JSON.stringify(imageConfig(run, await sha256(layer)));
    const configName = `${createHash("sha256").update(config).digest("hex")}.json`;
    writeFileSync(join(work, configName), config);
    writeFileSync(join(work, "manifest.json"), JSON.stringify([{ Config: configName, RepoTags: names, Layers: ["layer.tar"] }]));
    const packed = join(work, "image.tar");
    tar([...REPRODUCIBLE, "--create", "--file", packed, "--directory", work, "manifest.json", configName, "layer.tar"]);
    renameSync(packed, archive);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The OCI image configuration (image-spec, config.md). */
function imageConfig(run: ImageRun, layerDigest: string): object {
  return {
    architecture: arch() === "x64" ? "amd64" : arch(),
    os: "linux",
    config: {
      User: run.user,
      Entrypoint: run.entrypoint,
      Cmd: run.arguments ?? [],
      Env: Object.entries(run.environment ?? {}).map(([name, value]) => `${name}=${value}`),
      WorkingDir: run.workingFolder ?? "/",
    },
    rootfs: { type: "layers", diff_ids: [`sha256:${layerDigest}`] },
    history: [{ created_by: "seawall tools/images" }],
  };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

function tar(args: readonly string[]): void {
  const { error, status, stderr } = spawnSync("tar", args, { encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`tar failed: ${stderr.trim()}`);
}
