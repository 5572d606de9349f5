/**
 * Assembles images without docker: `node tools/images/build-images.ts [--folders FOLDER] [NAME...]`, NAME being control-plane,
 * sidecar, app or pause (all, by default). Prints the archives that it made; with `--folders` it makes only the file trees,
 * one folder per image, which the Dockerfile copies.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildInto } from "../build.ts";
import { toolsFolder } from "../cache-folder.ts";
import { packDockerArchive } from "./docker-archive.ts";
import { type Image, fileName } from "./image.ts";
import { assemble } from "./root-file-system.ts";
import { controlPlaneImage, sidecarImage } from "./seawall-images.ts";
import { applicationImage, pauseImage } from "./test-images.ts";

export type ImageName = "control-plane" | "sidecar" | "app" | "pause";

/** Each gets a folder for what has to be made first. */
const IMAGES: Readonly<Record<ImageName, (work: string) => Image>> = {
  "control-plane": (work) => {
    const built = join(work, "dist");
    buildInto(built);
    return controlPlaneImage(built);
  },
  sidecar: sidecarImage,
  app: applicationImage,
  pause: pauseImage,
};

/** Builds one of our images from what the machine and the sources hold now; returns its archive. */
export function buildNamed(name: ImageName, environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  return buildImage(IMAGES[name], environment);
}

/** Builds an image; returns its archive, which is kept beside the other tools. */
export async function buildImage(describe: (work: string) => Image, environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const output = join(toolsFolder(environment), "images");
  mkdirSync(output, { recursive: true });
  const work = mkdtempSync(join(output, "work-"));
  try {
    const image = describe(work);
    const archive = join(output, `${fileName(image.name)}.tar`);
    const root = join(work, "root");
    assemble(root, image.tree);
    await packDockerArchive(root, [image.name], image.run, archive);
    return archive;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Only the file tree, in a folder that does not exist yet. */
function assembleNamed(name: ImageName, folder: string): void {
  const work = mkdtempSync(join(tmpdir(), "seawall-image-"));
  try {
    assemble(folder, IMAGES[name](work).tree);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
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
    for (const name of names) {
      if (values.folders === undefined) console.log(await buildNamed(name));
      else assembleNamed(name, join(values.folders, name));
    }
  } catch (error) {
    console.error(`seawall images: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
