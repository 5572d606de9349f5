import { describe, expect, it } from "@jest/globals";
import Type, { type TSchema } from "typebox";
import { SEAWALL_API_VERSION } from "../../crds/core/object.ts";
import { KINDS } from "../../crds/kinds.ts";
import { customResourceDefinition } from "./custom-resource-definition.ts";
import { type JsonSchema, structuralSchema } from "./structural-schema.ts";

const closed = { additionalProperties: false } as const;

function converted(schema: TSchema): JsonSchema {
  return structuralSchema(JSON.parse(JSON.stringify(schema)) as JsonSchema, "spec");
}

describe("a structural schema", () => {
  it("has enumerations for unions of literals", () => {
    const mode = Type.Union([Type.Literal("On"), Type.Literal("Off")], { description: "Whether." });
    expect(converted(mode)).toEqual({ type: "string", description: "Whether.", enum: ["On", "Off"] });
  });

  it("has the API server's own word for a number or a name", () => {
    const port = Type.Union([Type.Integer({ minimum: 1 }), Type.String({ minLength: 1 })]);
    expect(converted(port)).toEqual({
      "x-kubernetes-int-or-string": true,
      anyOf: [{ type: "integer" }, { type: "string" }],
      minimum: 1,
      minLength: 1,
    });
  });

  it("has maps, and objects that are not said to be closed since pruning closes them", () => {
    const field = Type.Record(Type.String(), Type.String(), { description: "Labels." });
    expect(converted(Type.Object({ labels: field }, closed))).toEqual({
      type: "object",
      required: ["labels"],
      properties: { labels: { type: "object", description: "Labels.", additionalProperties: { type: "string" } } },
    });
  });

  it.each([
    ["an object that takes any field", Type.Object({}), "spec: an object must be closed"],
    ["a field without a description", Type.Object({ a: Type.String() }, closed), "spec.a: needs a description"],
    ["a union of objects", Type.Union([Type.Object({}, closed), Type.String()]), "spec: only a union of literals"],
    ["a number among the literals", Type.Union([Type.Literal("a"), Type.Literal(1)]), "spec: only strings may be literals"],
    ["a keyword that would be lost", Type.Array(Type.String(), { uniqueItems: true }), "spec: uniqueItems would be lost"],
    ["anything at all", Type.Unknown(), "spec: no structural schema has"],
  ])("is not made of %s", (_what, schema, message) => {
    expect(() => converted(schema)).toThrow(message);
  });
});

describe("the definition of a kind", () => {
  it.each(KINDS.filter((kind) => kind.apiVersion === SEAWALL_API_VERSION).map((kind) => [kind.kind, kind] as const))(
    "can be made of %s",
    (_name, kind) => {
      expect(customResourceDefinition(kind)).toMatchObject({
        spec: { names: { categories: ["seawall"] }, versions: [{ subresources: { status: {} } }] },
      });
    },
  );
});
