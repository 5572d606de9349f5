import { describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Image, ImageRun } from "./image.ts";
import { REPOSITORY, controlPlaneImage, sidecarImage } from "./seawall-images.ts";

/** How a stage of the Dockerfile says that its image is run. */
function stage(name: string): ImageRun {
  const [, rest = ""] = readFileSync(join(REPOSITORY, "Dockerfile"), "utf8").split(`FROM scratch AS ${name}\n`);
  const [body = ""] = rest.split("\nFROM ");
  const instruction = (word: string): string => new RegExp(`^${word} (.*)$`, "m").exec(body)?.[1] ?? "";
  return {
    user: instruction("USER"),
    entrypoint: JSON.parse(instruction("ENTRYPOINT")) as string[],
    arguments: JSON.parse(instruction("CMD")) as string[],
    environment: Object.fromEntries(
      instruction("ENV")
        .split(" ")
        .map((pair) => pair.split("=", 2) as [string, string]),
    ),
    workingFolder: instruction("WORKDIR"),
  };
}

function completed({ run }: Image): ImageRun {
  return { arguments: [], environment: {}, workingFolder: "/", ...run };
}

describe("the Dockerfile", () => {
  it("runs the control plane as the image that is assembled without docker", () => {
    expect(stage("control-plane")).toEqual(completed(controlPlaneImage("dist")));
  });

  it("runs the sidecar as the image that is assembled without docker", () => {
    expect(stage("sidecar")).toEqual(completed(sidecarImage()));
  });

  it("runs neither as root", () => {
    for (const image of [controlPlaneImage("dist"), sidecarImage()]) expect(image.run.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });
});
