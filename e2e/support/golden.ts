/** Golden files: `<name>.in.yaml` in, `<name>.out.yaml` out, side by side in one folder. */
import { describe, expect, it } from "@jest/globals";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { yamlOf } from "../../xds-server/envoy/yaml.ts";

const IN = ".in.yaml";
const OUT = ".out.yaml";

/** Text is compared as it is; anything else is printed as YAML first. */
export type GoldenTransform = (input: string, name: string) => unknown;

/**
 * Declares one test for each input of `folder`, and one that finds orphaned outputs. With `UPDATE_GOLDEN=1` outputs are
 * written and orphans deleted instead. The transform may be asynchronous.
 */
export function expectGoldens(folder: string, transform: GoldenTransform): void {
  const updating = process.env["UPDATE_GOLDEN"] === "1";
  const names = goldenNames(folder);
  describe(`goldens in ${folder.replace(`${process.cwd()}/`, "")}`, () => {
    it("has at least one input", () => expect(names).not.toEqual([]));
    for (const name of names) {
      it(`turns ${name}${IN} into ${name}${OUT}`, async () => {
        const file = join(folder, name + OUT);
        const result = await transform(readFileSync(join(folder, name + IN), "utf8"), name);
        const actual = typeof result === "string" ? result : yamlOf(result);
        if (updating) writeFileSync(file, actual);
        if (!existsSync(file)) throw new Error(`${file} is missing: run this test with UPDATE_GOLDEN=1 and read what it writes`);
        expect(actual).toBe(readFileSync(file, "utf8"));
      });
    }
    it("leaves no output whose input is gone", () => {
      const orphans = readdirSync(folder).filter((file) => file.endsWith(OUT) && !names.includes(file.slice(0, -OUT.length)));
      if (updating) for (const orphan of orphans) rmSync(join(folder, orphan));
      expect(updating ? [] : orphans).toEqual([]);
    });
  });
}

/** Names of the inputs in `folder`, sorted. */
export function goldenNames(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(IN))
    .map((file) => file.slice(0, -IN.length))
    .sort();
}

/** The outputs as they stand in the folder, parsed as Envoy would read them, by name. */
export function goldenOutputs(folder: string): ReadonlyMap<string, unknown> {
  const present = goldenNames(folder).filter((name) => existsSync(join(folder, name + OUT)));
  return new Map(present.map((name) => [name, parse(readFileSync(join(folder, name + OUT), "utf8"), { version: "1.1" }) as unknown]));
}
