import { describe, expect, it } from "@jest/globals";
import Type from "typebox";
import { From, TargetRef, When } from "./match.ts";
import { checkSchema } from "./schema.ts";

const closed = { additionalProperties: false } as const;
const Action = Type.Union([Type.Literal("Allow"), Type.Literal("Deny")]);
const Rule = Type.Object(
  {
    action: Action,
    paths: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })),
    port: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 65535 }), Type.String({ minLength: 1 })])),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
    from: Type.Optional(Type.Array(From)),
    when: Type.Optional(When),
    targetRefs: Type.Optional(Type.Array(TargetRef)),
    openList: Type.Optional(Type.Array(Type.Integer(), { maxItems: 1 })),
  },
  closed,
);

function said(value: unknown, base = "spec"): string[] {
  return checkSchema(Rule, value, base).map(({ path, reason, message }) => `${path} ${reason}: ${message}`);
}

describe("what a schema says about a value", () => {
  it("accepts what fits", () => {
    expect(said({ action: "Allow", paths: ["/"], port: "http", labels: { "a/b": "c" }, from: [{ namespaces: ["a"] }] })).toEqual([]);
  });

  it("names all mistakes at once, each with its place", () => {
    expect(said({ acton: "Allow", pathes: ["/"], openList: [1, "two"] })).toEqual([
      "spec.action Required: is required",
      "spec.acton UnknownField: unknown field `acton`: did you mean `action`?",
      "spec.pathes UnknownField: unknown field `pathes`: did you mean `paths`?",
      "spec.openList TooMany: must NOT have more than 1 items",
      'spec.openList[1] WrongType: must be an integer, found the string "two"',
    ]);
  });

  it.each([
    ["a near enumeration value", { action: "allow" }, 'spec.action Invalid: unknown value "allow": did you mean Allow?'],
    ["a far enumeration value", { action: "Reject" }, 'spec.action Invalid: unknown value "Reject": must be Allow or Deny'],
    ["an enumeration value of a wrong type", { action: false }, "spec.action WrongType: must be Allow or Deny, found the boolean false"],
    ["a list that is a string", { action: "Deny", paths: "/a" }, 'spec.paths WrongType: must be a list, found the string "/a"'],
    [
      "an empty list",
      { action: "Deny", paths: [] },
      "spec.paths Invalid: an empty list means nothing: leave the field out, or list something",
    ],
    [
      "an empty item",
      { action: "Deny", from: [{}] },
      "spec.from[0] Invalid: an empty item means nothing: leave it out, or say at least one thing",
    ],
    ["an empty string", { action: "Deny", paths: [""] }, "spec.paths[0] Invalid: must not be empty"],
    ["the right branch of a union out of range", { action: "Deny", port: 0 }, "spec.port Invalid: must be >= 1, found the number 0"],
    ["no branch of a union", { action: "Deny", port: true }, "spec.port WrongType: must be an integer or a string, found the boolean true"],
    [
      "a label of a wrong type",
      { action: "Deny", labels: { "app.io/x": 1 } },
      "spec.labels[app.io/x] WrongType: must be a string, found the number 1",
    ],
    [
      "an unknown field with nothing near",
      { action: "Deny", targetRefs: [{ kind: "Service", weight: 3 }] },
      "spec.targetRefs[0].weight UnknownField: unknown field `weight`: possible are `group`, `kind`, `name`",
    ],
  ])("explains %s", (_, value, expected) => {
    expect(said(value)).toEqual([expected]);
  });

  it("says that a missing value is required", () => {
    expect(said(undefined)).toEqual(["spec Required: is required"]);
  });

  it("refuses words for later as not supported, never as a typo", () => {
    const found = said({
      action: "Allow",
      from: [{ countries: ["DE"], gateways: ["a/b"], consumers: ["x"], clientCIDRs: ["10.0.0.0/8"] }],
      when: { expression: "true", within: {} },
      targetRefs: [{ kind: "Gateway", name: "public", sectionName: "https" }],
    });
    expect(found.filter((line) => !line.includes("does not support yet"))).toEqual([]);
    expect(found.map((line) => line.split(" ")[0])).toEqual([
      "spec.from[0].countries",
      "spec.from[0].gateways",
      "spec.from[0].consumers",
      "spec.from[0].clientCIDRs",
      "spec.when.expression",
      "spec.when.within",
      "spec.targetRefs[0].sectionName",
      "spec.targetRefs[0].kind",
    ]);
    expect(checkSchema(Rule, { action: "Allow", quota: 1 }, "spec", ["spec.quota"])[0]?.reason).toBe("NotSupported");
  });

  it("explains the alternative of a union that the value comes nearest to", () => {
    const Limit = Type.Union([
      Type.Object({ type: Type.Literal("Identity") }, closed),
      Type.Object({ type: Type.Literal("Header"), name: Type.String() }, closed),
    ]);
    expect(checkSchema(Limit, { type: "Header", nam: "x" }, "per[0]").map((found) => `${found.path} ${found.message}`)).toEqual([
      "per[0].name is required",
      "per[0].nam unknown field `nam`: did you mean `name`?",
    ]);
  });
});
