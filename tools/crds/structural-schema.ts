/**
 * A kind's schema as the API server takes it: a structural OpenAPI schema (Kubernetes, "Specifying a structural schema").
 * What cannot be said there without losing meaning is an error, not an approximation.
 */
import { unreachable } from "../../crds/core/unreachable.ts";

/** The part of JSON Schema that the kinds' schemas use. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export class SchemaConversionError extends Error {
  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.name = "SchemaConversionError";
  }
}

const SCALAR_BOUNDS = {
  string: ["minLength", "maxLength", "pattern", "format"],
  integer: ["minimum", "maximum"],
  number: ["minimum", "maximum"],
  boolean: [],
} as const;

/** Keywords that say the same in both languages, whatever the type. */
const SHARED = ["description", "default"] as const;

type Type = "object" | "array" | keyof typeof SCALAR_BOUNDS;
const TYPES: readonly string[] = ["object", "array", "string", "integer", "number", "boolean"] satisfies readonly Type[];

/** Throws a {@link SchemaConversionError} that names the place. `path` is where the schema stands, such as `spec`. */
export function structuralSchema(schema: JsonSchema, path: string): JsonSchema {
  if (schema["anyOf"] !== undefined) return union(schema, path);
  if (schema["const"] !== undefined) return enumeration(schema, [schema["const"]], path, ["type"]);
  const type = schema["type"];
  if (typeof type !== "string" || !TYPES.includes(type))
    throw new SchemaConversionError(path, `no structural schema has ${describe(schema)}`);
  return ofType(type as Type, schema, path);
}

function ofType(type: Type, schema: JsonSchema, path: string): JsonSchema {
  switch (type) {
    case "object":
      return object(schema, path);
    case "array":
      return array(schema, path);
    case "string":
    case "integer":
    case "number":
    case "boolean":
      return { type, ...pick(schema, [...SHARED, ...SCALAR_BOUNDS[type]], path, ["type"]) };
    default:
      return unreachable(type);
  }
}

/** A closed object's unknown fields are pruned, and refused where the caller asks for strict field validation as kubectl does. */
function object(schema: JsonSchema, path: string): JsonSchema {
  const common = pick(schema, [...SHARED, "minProperties", "maxProperties", "required"], path, [
    "type",
    "properties",
    "patternProperties",
    "additionalProperties",
  ]);
  const properties = Object.entries((schema["properties"] ?? {}) as Readonly<Record<string, JsonSchema>>);
  const patterns = Object.entries((schema["patternProperties"] ?? {}) as Readonly<Record<string, JsonSchema>>);
  const [pattern] = patterns;
  if (pattern !== undefined) {
    if (patterns.length > 1 || properties.length > 0 || pattern[0] !== "^.*$") {
      throw new SchemaConversionError(path, "a map must have any keys, one kind of value and no fields");
    }
    return { type: "object", ...common, additionalProperties: structuralSchema(pattern[1], `${path}.*`) };
  }
  if (schema["additionalProperties"] !== false) throw new SchemaConversionError(path, "an object must be closed");
  return {
    type: "object",
    ...common,
    ...(properties.length === 0
      ? {}
      : { properties: Object.fromEntries(properties.map(([name, field]) => [name, described(field, `${path}.${name}`)])) }),
  };
}

/** `kubectl explain` shows nothing but descriptions. */
function described(field: JsonSchema, path: string): JsonSchema {
  if (typeof field["description"] !== "string") throw new SchemaConversionError(path, "needs a description");
  return structuralSchema(field, path);
}

function array(schema: JsonSchema, path: string): JsonSchema {
  const common = pick(schema, [...SHARED, "minItems", "maxItems"], path, ["type", "items"]);
  const items = schema["items"] as JsonSchema | undefined;
  if (items === undefined) throw new SchemaConversionError(path, "a list must say what it holds");
  return { type: "array", ...common, items: structuralSchema(items, `${path}[]`) };
}

/** Structural schemas know two unions: of literals, and of integer and string. */
function union(schema: JsonSchema, path: string): JsonSchema {
  const branches = schema["anyOf"] as readonly JsonSchema[];
  if (branches.every((branch) => branch["const"] !== undefined)) {
    return enumeration(
      schema,
      branches.map((branch) => branch["const"]),
      path,
      ["anyOf"],
    );
  }
  const [integer, string] = branches;
  if (branches.length !== 2 || integer?.["type"] !== "integer" || string?.["type"] !== "string") {
    throw new SchemaConversionError(path, "only a union of literals, or of an integer and a string in this order, is structural");
  }
  return {
    "x-kubernetes-int-or-string": true,
    anyOf: [{ type: "integer" }, { type: "string" }],
    ...pick(schema, SHARED, path, ["anyOf"]),
    ...pick(integer, SCALAR_BOUNDS.integer, path, ["type"]),
    ...pick(string, SCALAR_BOUNDS.string, path, ["type"]),
  };
}

function enumeration(schema: JsonSchema, values: readonly unknown[], path: string, consumed: readonly string[]): JsonSchema {
  if (!values.every((value) => typeof value === "string")) throw new SchemaConversionError(path, "only strings may be literals");
  return { type: "string", ...pick(schema, SHARED, path, [...consumed, "const"]), enum: values };
}

/** Copies `keep`; anything that is neither kept nor `consumed` would be lost. */
function pick(schema: JsonSchema, keep: readonly string[], path: string, consumed: readonly string[]): JsonSchema {
  const lost = Object.keys(schema).filter((key) => !keep.includes(key) && !consumed.includes(key));
  if (lost.length > 0) throw new SchemaConversionError(path, `${lost.join(", ")} would be lost`);
  return Object.fromEntries(keep.flatMap((key) => (schema[key] === undefined ? [] : [[key, schema[key]]])));
}

function describe(schema: JsonSchema): string {
  return Object.keys(schema).join(", ") || "an empty schema";
}
