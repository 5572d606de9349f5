/** The CustomResourceDefinition of one of Seawall's kinds. */
import type { CelRule, CustomResource } from "../../crds/core/custom-resource.ts";
import type { Kind } from "../../crds/core/kind.ts";
import { STATUS_SCHEMA } from "./status-schema.ts";
import { type JsonSchema, SchemaConversionError, structuralSchema } from "./structural-schema.ts";

export function customResourceDefinition(kind: Kind): JsonSchema {
  const [group = "", version = ""] = kind.apiVersion.split("/");
  const resource = kind.customResource;
  if (resource === undefined) throw new SchemaConversionError(kind.kind, "needs a customResource");
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${kind.plural}.${group}`, labels: { "app.kubernetes.io/name": "seawall" } },
    spec: {
      group,
      scope: kind.scope,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        shortNames: kind.shortNames,
        categories: ["seawall"],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns(resource),
          schema: { openAPIV3Schema: objectSchema(kind, resource) },
        },
      ],
    },
  };
}

function columns({ columns }: CustomResource): readonly JsonSchema[] {
  return [
    ...columns.map(({ name, description, path, wide }) => ({
      name,
      type: "string",
      description,
      jsonPath: path,
      ...(wide === true ? { priority: 1 } : {}),
    })),
    { name: "Age", type: "date", description: "When it was made.", jsonPath: ".metadata.creationTimestamp" },
  ];
}

function objectSchema(kind: Kind, resource: CustomResource): JsonSchema {
  const question = `${kind.question.charAt(0).toUpperCase()}${kind.question.slice(1)}`;
  const spec = structuralSchema(JSON.parse(JSON.stringify(kind.schema)) as JsonSchema, "spec");
  const object: JsonSchema = {
    type: "object",
    description: `${question}.${kind.security ? " An invalid one makes its targets refuse every request." : ""}`,
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: "The version of the schema, seawall.dev/v1alpha1." },
      kind: { type: "string", description: kind.kind },
      metadata: { type: "object" },
      spec: { ...spec, description: `${question}.` },
      status: STATUS_SCHEMA,
    },
  };
  const named = resource.namedLists.reduce(
    (schema, path) =>
      changeAt(schema, path, (list) => ({ ...list, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] })),
    object,
  );
  return resource.rules.reduce((schema, rule) => changeAt(schema, rule.at, (part) => withRule(part, rule)), named);
}

function withRule(part: JsonSchema, { rule, message }: CelRule): JsonSchema {
  const before = (part["x-kubernetes-validations"] ?? []) as readonly JsonSchema[];
  return { ...part, "x-kubernetes-validations": [...before, { rule, message }] };
}

/** The same schema with the part at `path` (`spec.rules[].name`) changed. */
function changeAt(schema: JsonSchema, path: string, change: (part: JsonSchema) => JsonSchema): JsonSchema {
  const steps = path.split(".").flatMap((step) => (step.endsWith("[]") ? [step.slice(0, -2), "[]"] : step === "" ? [] : [step]));
  const descend = (part: JsonSchema | undefined, [step, ...rest]: readonly string[]): JsonSchema => {
    if (part === undefined) throw new SchemaConversionError(path, "no such place in the schema");
    if (step === undefined) return change(part);
    if (step === "[]") return { ...part, items: descend(part["items"] as JsonSchema | undefined, rest) };
    const properties = part["properties"] as Readonly<Record<string, JsonSchema>> | undefined;
    return { ...part, properties: { ...properties, [step]: descend(properties?.[step], rest) } };
  };
  return descend(schema, steps);
}
