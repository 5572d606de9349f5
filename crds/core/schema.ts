/**
 * Holds a value against a schema and says everything that is wrong with it, in words for the person who wrote the YAML.
 * Unions of literals are read as enumerations; of the alternatives of any other union the nearest one is explained.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { TSchema } from "typebox";
import { pathOfPointer } from "./field-path.ts";
import { isNotYetSupported, NOT_YET_SUPPORTED, type NotYetSupported } from "./not-yet-supported.ts";
import { nearest, suggestion } from "./suggest.ts";
import { violation, type Violation } from "./violation.ts";

const compiler = new Ajv({ allErrors: true, verbose: true, strict: true, allowUnionTypes: true });

type JsonSchema = Readonly<Record<string, unknown>>;

interface CompiledSchema {
  readonly validate: ValidateFunction;
  /** The alternatives of each union in the schema, by the place of its `anyOf` in the schema. */
  readonly alternatives: Map<unknown, readonly CompiledSchema[]>;
}

const compiledSchemas = new WeakMap<TSchema, CompiledSchema>();

/**
 * Every violation of `schema` in `value`, which stands at the field path `basePath`; an empty list means that it holds.
 * `later` adds a kind's own words to those that this version knows but does not have (see not-yet-supported.ts).
 */
export function checkSchema(schema: TSchema, value: unknown, basePath: string, later: readonly NotYetSupported[] = []): Violation[] {
  let compiled = compiledSchemas.get(schema);
  if (compiled === undefined) {
    compiled = compile(withEnumerations(JSON.parse(JSON.stringify(schema))));
    compiledSchemas.set(schema, compiled);
  }
  return violationsOf(compiled, value, basePath, later.length === 0 ? NOT_YET_SUPPORTED : [...NOT_YET_SUPPORTED, ...later]);
}

function compile(schema: JsonSchema): CompiledSchema {
  return { validate: compiler.compile(schema), alternatives: new Map() };
}

/** The same schema with every union of literals as one `enum`. */
function withEnumerations(schema: unknown): JsonSchema {
  return rewrite(schema) as JsonSchema;

  function rewrite(part: unknown): unknown {
    if (Array.isArray(part)) return part.map(rewrite);
    if (typeof part !== "object" || part === null) return part;
    const entries = Object.entries(part).map(([key, value]) => [key, rewrite(value)] as const);
    const rewritten: Record<string, unknown> = Object.fromEntries(entries);
    const { anyOf, ...rest } = rewritten;
    if (Array.isArray(anyOf) && anyOf.every((branch: JsonSchema) => "const" in branch)) {
      return { ...rest, enum: anyOf.map((branch: JsonSchema) => branch["const"]) };
    }
    return rewritten;
  }
}

function violationsOf(compiled: CompiledSchema, value: unknown, basePath: string, later: readonly NotYetSupported[]): Violation[] {
  if (compiled.validate(value)) return [];
  const errors = compiled.validate.errors ?? [];
  const unions = errors.filter((error) => error.keyword === "anyOf");
  const isOfAlternative = (error: ErrorObject): boolean => unions.some((union) => error.schemaPath.startsWith(`${union.schemaPath}/`));
  const found = errors
    .filter((error) => !isOfAlternative(error))
    .flatMap((error) => {
      const path = pathOfPointer(basePath, error.instancePath, value);
      return error.keyword === "anyOf" ? nearestAlternative(compiled, error, path, later) : [toViolation(error, path, later)];
    });
  return found.filter((one, index) => found.findIndex((other) => other.path === one.path && other.message === one.message) === index);
}

/** What is wrong by the alternative that the value comes nearest to. */
function nearestAlternative(compiled: CompiledSchema, error: ErrorObject, path: string, later: readonly NotYetSupported[]): Violation[] {
  const branches = error.schema as readonly JsonSchema[];
  let alternatives = compiled.alternatives.get(error.schemaPath);
  if (alternatives === undefined) {
    alternatives = branches.map(compile);
    compiled.alternatives.set(error.schemaPath, alternatives);
  }
  const explained = alternatives.map((alternative) => violationsOf(alternative, error.data, path, later));
  if (explained.every((found) => found.some((one) => one.path === path && one.reason === "WrongType"))) {
    const types = branches.map((branch) => typeName(branch["type"]));
    return [violation(path, "WrongType", `must be ${types.join(" or ")}, found ${describe(error.data)}`)];
  }
  const [best] = explained.toSorted((a, b) => farness(a, path) - farness(b, path));
  return best ?? [];
}

/** How far a value is from an alternative of a union: a wrong discriminator weighs more than a mistake inside. */
function farness(found: readonly Violation[], path: string): number {
  let sum = 0;
  for (const { reason, path: at, message } of found) {
    if (reason === "WrongType" && at === path) sum += 1000;
    else if (reason === "Invalid" && message.startsWith("unknown value")) sum += 100;
    else if (reason === "UnknownField" && !message.includes("did you mean")) sum += 10;
    else sum += 1;
  }
  return sum;
}

function toViolation(error: ErrorObject, path: string, later: readonly NotYetSupported[]): Violation {
  const params = error.params as Readonly<Record<string, unknown>>;
  switch (error.keyword) {
    case "additionalProperties": {
      const field = String(params["additionalProperty"]);
      const at = pathOfPointer(path, `/${field.replaceAll("~", "~0").replaceAll("/", "~1")}`, {});
      if (isNotYetSupported(at, undefined, later)) {
        return violation(at, "NotSupported", `\`${field}\` is a word of the policy language that this version does not support yet`);
      }
      const known = Object.keys((error.parentSchema as JsonSchema)["properties"] ?? {});
      return violation(at, "UnknownField", `unknown field \`${field}\`${suggestion(field, known)}`);
    }
    case "required": {
      const field = String(params["missingProperty"]);
      return violation(pathOfPointer(path, `/${field}`, {}), "Required", "is required");
    }
    case "enum": {
      const allowed = (params["allowedValues"] as readonly unknown[]).map(String);
      if (typeof error.data !== "string") {
        return violation(path, "WrongType", `must be ${alternativesOf(allowed)}, found ${describe(error.data)}`);
      }
      return unknownValue(path, error.data, allowed, later);
    }
    case "const": {
      const allowed = String(params["allowedValue"]);
      if (typeof error.data !== "string") return violation(path, "WrongType", `must be ${allowed}, found ${describe(error.data)}`);
      return unknownValue(path, error.data, [allowed], later);
    }
    case "type": {
      if (error.data === undefined) return violation(path, "Required", "is required");
      return violation(path, "WrongType", `must be ${typeName(params["type"])}, found ${describe(error.data)}`);
    }
    case "minItems":
      return violation(
        path,
        "Invalid",
        params["limit"] === 1 ? "an empty list means nothing: leave the field out, or list something" : bounds(error),
      );
    case "minProperties":
      return violation(path, "Invalid", "an empty item means nothing: leave it out, or say at least one thing");
    case "minLength":
      return violation(path, "Invalid", params["limit"] === 1 ? "must not be empty" : bounds(error));
    case "maxProperties": {
      const known = Object.keys((error.parentSchema as JsonSchema)["properties"] ?? {});
      if (params["limit"] !== 1 || known.length === 0) return violation(path, "TooMany", bounds(error));
      return violation(path, "TooMany", `say only one of ${known.map((name) => `\`${name}\``).join(", ")}`);
    }
    case "maxItems":
      return violation(path, "TooMany", bounds(error));
    case "pattern":
      return violation(path, "Invalid", `${describe(error.data)} does not have the form ${String(params["pattern"])}`);
    case "uniqueItems":
      return violation(path, "Duplicate", `items ${String(params["j"])} and ${String(params["i"])} are the same`);
    default:
      return violation(path, "Invalid", `${bounds(error)}, found ${describe(error.data)}`);
  }
}

function unknownValue(path: string, written: string, allowed: readonly string[], later: readonly NotYetSupported[]): Violation {
  if (isNotYetSupported(path, written, later)) {
    return violation(path, "NotSupported", `${written} is a word of the policy language that this version does not support yet`);
  }
  const meant = nearest(written, allowed);
  return violation(
    path,
    "Invalid",
    `unknown value ${JSON.stringify(written)}: ${meant === undefined ? `must be ${alternativesOf(allowed)}` : `did you mean ${meant}?`}`,
  );
}

function bounds(error: ErrorObject): string {
  return error.message ?? `does not hold: ${error.keyword}`;
}

function alternativesOf(names: readonly string[]): string {
  return names.length <= 1 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names.at(-1) ?? ""}`;
}

function typeName(type: unknown): string {
  if (Array.isArray(type)) return type.map(typeName).join(" or ");
  switch (type) {
    case "array":
      return "a list";
    case "object":
      return "an object";
    case "integer":
      return "an integer";
    default:
      return `a ${String(type)}`;
  }
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return `the string ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)}`;
  return `the ${typeof value} ${JSON.stringify(value)}`;
}
