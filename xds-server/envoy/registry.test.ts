import { expect, it } from "@jest/globals";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { knownFiles } from "./registry.ts";

it("knows every generated file", () => {
  const folder = join(import.meta.dirname, "..", "gen");
  const generated = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith("_pb.js"))
    .map((file) => file.slice(0, -"_pb.js".length));
  expect(generated.filter((file) => !knownFiles.has(file))).toEqual([]);
});
