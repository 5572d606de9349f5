import { describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { checkSchema } from "../core/schema.ts";
import { errorsOf } from "../core/violation.ts";
import { CLOSED_MESH, defaultAccess, failClosed, type MeshConfig, meshConfig, meshSettings, validateMeshConfigChange } from "./index.ts";

function config(spec: string, name = "mesh"): MeshConfig {
  return { apiVersion: "seawall.dev/v1alpha1", kind: "MeshConfig", metadata: { name }, spec: parse(spec) as MeshConfig["spec"] };
}

function said(object: MeshConfig): string[] {
  const found = checkSchema(meshConfig.schema, object.spec, "spec");
  const all = errorsOf(found).length > 0 ? found : meshConfig.validate(object);
  return all.map(({ severity, path, reason, message }) => `${severity} ${path} ${reason}: ${message}`);
}

describe("what is said about a MeshConfig", () => {
  it.each<[string, MeshConfig, string[]]>([
    ["an empty one", config("{}"), []],
    ["another name", config("{}", "main"), ["error metadata.name Invalid: there is one MeshConfig and its name is mesh"]],
    [
      "types and typos",
      config(
        "{trustdomain: x, access: {default: deny, namespaces: []}, tls: {minVersion: 1.3, postQuantum: On}, egress: {denyCIDRs: [10.0.0.0/8]}}",
      ),
      [
        "error spec.trustdomain UnknownField: unknown field `trustdomain`: did you mean `trustDomain`?",
        "error spec.egress NotSupported: `egress` is a word of the policy language that this version does not support yet",
        'error spec.access.default Invalid: unknown value "deny": did you mean Deny?',
        "error spec.access.namespaces Invalid: an empty list means nothing: leave the field out, or list something",
        "error spec.tls.minVersion WrongType: must be 1.2 or 1.3, found the number 1.3",
        'error spec.tls.postQuantum Invalid: unknown value "On": must be Prefer, Require or Disable',
      ],
    ],
    [
      "names that are none, and twice the same",
      config(
        "{trustDomain: 'spiffe://X/', access: {default: Allow, namespaces: [{name: A, default: Deny}, {name: b, default: Deny}, {name: b, default: Allow}]}}",
      ),
      [
        "error spec.trustDomain Invalid: a trust domain is lower-case letters, digits, dots, dashes and underscores, without spiffe:// and path",
        'error spec.access.namespaces[0].name Invalid: "A" is not the name of a namespace',
        "error spec.access.namespaces[2].name Duplicate: namespaces[1] is about b too",
        "warning spec.access.default Invalid: everything that no Allow policy protects is open to everyone who can reach it",
      ],
    ],
  ])("%s", (_, object, expected) => {
    expect(said(object)).toEqual(expected);
  });

  it("is nothing about the example", () => {
    expect(said(parse(readFileSync(join(import.meta.dirname, "examples", "adoption.yaml"), "utf8")) as MeshConfig)).toEqual([]);
  });

  it("refuses another trust domain later on, the default one included", () => {
    expect(validateMeshConfigChange(config("{trustDomain: a}"), config("{}"))).toHaveLength(1);
    expect(validateMeshConfigChange(config("{}"), config("{trustDomain: cluster.local}"))).toEqual([]);
  });
});

describe("the settings of the mesh", () => {
  it("are closed without a MeshConfig, and with an empty one", () => {
    expect(meshSettings(undefined)).toEqual(CLOSED_MESH);
    expect(meshSettings({})).toEqual(CLOSED_MESH);
    expect(CLOSED_MESH.access.default).toBe("Deny");
  });

  it("give a namespace its own default instead of that of the mesh", () => {
    const settings = meshSettings({ access: { default: "Allow", namespaces: [{ name: "bank", default: "Deny" }] } });
    expect([defaultAccess(settings, "bank"), defaultAccess(settings, "shop")]).toEqual(["Deny", "Allow"]);
  });

  it("deny everywhere while the MeshConfig does not hold, and keep identities and TLS as they were", () => {
    const lastGood = meshSettings({
      trustDomain: "td",
      access: { default: "Allow", namespaces: [{ name: "a", default: "Audit" }] },
      tls: { minVersion: "1.3" },
    });
    const closed = failClosed(lastGood);
    expect([defaultAccess(closed, "a"), defaultAccess(closed, "b"), closed.trustDomain, closed.tls.minVersion]).toEqual([
      "Deny",
      "Deny",
      "td",
      "1.3",
    ]);
    expect(failClosed(undefined)).toEqual(CLOSED_MESH);
  });
});
