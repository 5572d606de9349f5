/**
 * Assembles images without docker: `node tools/images/build-images.ts [--folders FOLDER] [NAME...]`, NAME being control-plane,
 * sidecar, app or pause (all, by default). Prints the archives that it made; with `--folders` it makes only the file trees,
 * one folder per image, which the Dockerfile copies.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { toolsFolder } from "../cache-folder.ts";
import { packDockerArchive } from "./docker-archive.ts";
import { type Image, fileName } from "./image.ts";
import { assemble } from "./root-file-system.ts";
import { REPOSITORY, controlPlaneImage, sidecarImage } from "./seawall-images.ts";
import { applicationImage, pauseImage } from "./test-images.ts";

export type ImageName = "control-plane" | "sidecar" | "app" | "pause";

const IMAGES: Readonly<Record<ImageName, () => Image>> = {
  "control-plane": controlPlaneImage,
  sidecar: sidecarImage,
  app: applicationImage,
  pause: pauseImage,
};

/** Builds one image; returns its archive, beside the other tools. The control plane's is made from what `dist/` holds now. */
export async function buildImage(image: Image, environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const output = join(toolsFolder(environment), "images");
  mkdirSync(output, { recursive: true });
  const work = mkdtempSync(join(output, "root-"));
  const archive = join(output, `${fileName(image.name)}.tar`);
  try {
    const root = join(work, "root");
    assemble(root, image.tree);
    await packDockerArchive(root, [image.name], image.run, archive);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return archive;
}

/** The image of that name, its code compiled from the present sources. */
export async function buildNamed(name: ImageName, environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  compile([name]);
  return buildImage(IMAGES[name](), environment);
}

function compile(names: readonly ImageName[]): void {
  if (!names.includes("control-plane")) return;
  const { status } = spawnSync(process.execPath, [join(REPOSITORY, "tools", "build.ts")], { stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error("the sources do not compile: see above");
}

function isImageName(name: string): name is ImageName {
  return Object.hasOwn(IMAGES, name);
}

if (import.meta.main) {
  try {
    const { values, positionals } = parseArgs({ options: { folders: { type: "string" } }, allowPositionals: true });
    const unknown = positionals.filter((name) => !isImageName(name));
    if (unknown.length > 0) throw new Error(`${unknown.join(", ")}: the images are ${Object.keys(IMAGES).join(", ")}`);
    const names = (positionals.length > 0 ? positionals : Object.keys(IMAGES)).filter(isImageName);
    compile(names);
    for (const name of names) {
      const image = IMAGES[name]();
      if (values.folders === undefined) console.log(`${image.name}\t${await buildImage(image)}`);
      else assemble(join(values.folders, name), image.tree);
    }
  } catch (error) {
    console.error(`seawall images: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
