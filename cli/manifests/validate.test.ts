import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SeawallResult } from "../testing/run-seawall.ts";
import { seawall } from "../testing/seawall-in-process.ts";

const SHOP = join(import.meta.dirname, "..", "..", "examples", "shop", "manifests");

const API = "apiVersion: seawall.dev/v1alpha1";
const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: orders, namespace: shop }
spec: { selector: { app: orders }, ports: [{ name: http, port: 80 }] }
`;
const policy = (spec: string, name = "p"): string =>
  `${API}\nkind: AccessPolicy\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}\n`;
const route = (spec: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r, namespace: shop }\nspec: ${spec}\n`;

describe("seawall validate", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "seawall-validate-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const judge = (input: string, ...more: string[]): Promise<SeawallResult> => seawall(["validate", "-f", "-", ...more], { input });

  it("accepts the example shop, and with --strict refuses its one warning", async () => {
    const lenient = await seawall(["validate", "-f", SHOP]);
    expect([lenient.code, lenient.output.split("\n").length]).toEqual([0, 2]);
    expect(lenient.output).toMatch(/authentication\.yaml:12: spec\.accept\[0\]\.jwt\.jwks\.uri: warning: /);
    expect(lenient.messages).toMatch(/^\d+ objects, 0 errors, 1 warning\n$/);
    expect((await seawall(["validate", "--strict", "-f", SHOP])).code).toBe(2);
    expect((await seawall(["validate", "--strict", "-f", join(SHOP, "access.yaml"), join(SHOP, "limits.yaml")])).code).toBe(0);
  });

  it("names every mistake at once, with its line, what it is and how to mend it", async () => {
    const input = `apiVersion: v1\nkind: Pood\nmetadata: { name: x }\n---\n${policy("{ acton: Allow, targetRefs: [{ kind: Service, name: orders }], rules: [{ name: a, to: [{ methods: [GTE] }] }] }")}---\na: [b\n`;
    const { code, output, messages } = await judge(input);
    expect(code).toBe(2);
    expect(output).toContain("(input):2: kind: UnknownKind: unknown kind `Pood`: did you mean `Pod`?");
    expect(output).toContain("(input):8: spec.acton: UnknownField: unknown field `acton`: did you mean `action`?");
    expect(output).toContain("(input):8: spec.action: Required: is required");
    expect(output).toMatch(/\(input\):1[01]: Malformed: is not YAML/);
    expect(messages).toMatch(/errors, 0 warnings\n$/);
  });

  it.each([
    ["a wrong type", policy("{ action: Allow, rules: everything }"), 2, "spec.rules: WrongType"],
    ["a word for later", policy('{ action: Allow, rules: [{ name: a, when: { expression: "true" } }] }'), 2, "NotSupported"],
    ["what YAML 1.1 reads as a boolean", policy("{ action: Allow, rules: [{ name: a, from: [{ namespaces: [on] }] }] }"), 2, "quote it"],
    [
      "a target that does not exist",
      `${SERVICE}---\n${policy("{ targetRefs: [{ kind: Service, name: ordres }], action: Allow, rules: [{ name: a }] }")}`,
      0,
      "warning: NotFound: not found: Service shop/ordres",
    ],
    [
      "a route to a service that does not exist",
      `${SERVICE}---\n${route('{ parentRefs: [{ group: "", kind: Service, name: orders, port: 80 }], rules: [{ backendRefs: [{ name: gone, port: 80 }] }] }')}`,
      0,
      "warning: NotFound: ",
    ],
    [
      "the same object twice",
      `${policy("{ action: Allow, rules: [{ name: a }] }")}---\n${policy("{ action: Allow, rules: [{ name: b }] }")}`,
      2,
      "Duplicate",
    ],
  ])("says it of %s", async (_, input, code, words) => {
    const result = await judge(input);
    expect(result.output).toContain(words);
    expect([result.code, result.messages.match(/^\s+at /m)]).toEqual([code, null]);
  });

  it("says that a file is too large, without reading it", async () => {
    const file = join(folder, "large.yaml");
    await writeFile(file, `# ${"x".repeat(5 << 20)}\n`);
    const { code, output } = await seawall(["validate", "-f", file]);
    expect([code, output]).toEqual([2, expect.stringContaining(`${file}:1: Malformed: has 5242883 bytes`)]);
  });

  it("prints data for programs, and fails on a path that does not exist", async () => {
    const { code, output } = await judge(policy("{ action: Alow, rules: [{ name: a }] }"), "-o", "json");
    expect([code, JSON.parse(output)]).toEqual([
      2,
      {
        objects: 1,
        problems: [expect.objectContaining({ file: "(input)", line: 4, path: "spec.action", reason: "Invalid", severity: "error" })],
      },
    ]);
    const nowhere = await seawall(["validate", "-f", join(folder, "nowhere")]);
    expect([nowhere.code, nowhere.messages]).toEqual([2, expect.stringContaining("does not exist")]);
  });
});
