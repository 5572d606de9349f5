/**
 * Messages as Envoy's own YAML: proto field names, durations as text, an Any open with its "@type". What is printed can
 * be pasted into a bootstrap. Map keys are sorted, so equal messages give equal text.
 */
import { type DescField, type DescMessage, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { registry } from "./registry.ts";

type JsonObject = Record<string, JsonValue>;

/** The message as JSON that Envoy reads. Throws when an Any holds a type that is not in registry.ts. */
export function envoyJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonObject {
  const json: JsonValue = toJson(schema, message, { registry, useProtoFieldName: true });
  return isObject(json) ? sortMaps(schema, json) : {};
}

/** The message as YAML that Envoy reads. Throws as {@link envoyJson} does. */
export function envoyYaml<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): string {
  return yamlOf(envoyJson(schema, message));
}

/**
 * YAML text that says the same to a YAML 1.1 reader (Envoy, kubectl) as to a 1.2 one: strings such as `no`, `on`, `0x10`
 * or `12:30:45` are quoted. Keys keep their order, lines are not folded.
 */
export function yamlOf(value: unknown): string {
  return stringify(value, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false });
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Protobuf maps keep the order in which they were filled; everything else is already in the order of its field numbers,
 * but for a `name`, which a reader looks for first.
 */
function sortMaps(schema: DescMessage, json: JsonObject): JsonObject {
  if (schema.typeName === "google.protobuf.Any") {
    const type = typeof json["@type"] === "string" ? registry.getMessage(json["@type"].replace(/^.*\//, "")) : undefined;
    return type === undefined ? json : { "@type": json["@type"] ?? "", ...sortMaps(type, json) };
  }
  if (schema.typeName === "google.protobuf.Struct") return sortDeeply(json) as JsonObject;
  const fields = new Map(schema.fields.map((field) => [field.name, field]));
  const entries = Object.entries(json).map(([name, value]) => {
    const field = fields.get(name);
    return [name, field === undefined ? value : sortField(field, value)] as const;
  });
  return Object.fromEntries(entries.sort(([a], [b]) => Number(b === "name") - Number(a === "name")));
}

function sortField(field: DescField, value: JsonValue): JsonValue {
  switch (field.fieldKind) {
    case "map": {
      if (!isObject(value)) return value;
      const type = field.mapKind === "message" ? field.message : undefined;
      return sortedEntries(value, (entry) => (type !== undefined && isObject(entry) ? sortMaps(type, entry) : entry));
    }
    case "list": {
      const type = field.listKind === "message" ? field.message : undefined;
      if (type === undefined || !Array.isArray(value)) return value;
      return value.map((item) => (isObject(item) ? sortMaps(type, item) : item));
    }
    case "message":
      return isObject(value) ? sortMaps(field.message, value) : value;
    case "scalar":
    case "enum":
      return value;
  }
}

function sortDeeply(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sortDeeply);
  return isObject(value) ? sortedEntries(value, sortDeeply) : value;
}

function sortedEntries(value: JsonObject, change: (entry: JsonValue) => JsonValue): JsonObject {
  const sorted = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, entry]) => [name, change(entry)]));
}
