/** The status of every kind: GEP-713, with the aggregate in `conditions` and the detail in `ancestors`. */
import type { JsonSchema } from "./structural-schema.ts";

const text = (description: string, maxLength: number): JsonSchema => ({ type: "string", description, maxLength });

/** `metav1.Condition`. */
const CONDITION: JsonSchema = {
  type: "object",
  required: ["type", "status", "lastTransitionTime", "reason", "message"],
  properties: {
    type: text("Accepted, ResolvedRefs or Programmed.", 316),
    status: { type: "string", enum: ["True", "False", "Unknown"], description: "Whether it is so." },
    observedGeneration: { type: "integer", format: "int64", minimum: 0, description: "The metadata.generation that this is about." },
    lastTransitionTime: { type: "string", format: "date-time", description: "When the status changed last." },
    reason: { ...text("Why, in one word.", 1024), minLength: 1 },
    message: text("Why, for people.", 32768),
  },
};

const conditions = (description: string): JsonSchema => ({
  type: "array",
  description,
  maxItems: 8,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["type"],
  items: CONDITION,
});

const ANCESTOR_REF: JsonSchema = {
  type: "object",
  description: "The target.",
  required: ["kind", "name"],
  properties: {
    group: text("The target's API group; empty for the core group.", 253),
    kind: text("The target's kind.", 63),
    namespace: text("The target's namespace.", 63),
    name: text("The target's name.", 253),
    sectionName: text("The part of the target.", 253),
    port: { type: "integer", format: "int32", minimum: 1, maximum: 65535, description: "The target's port." },
  },
};

export const STATUS_SCHEMA: JsonSchema = {
  type: "object",
  description: "What became of it. Written by the control plane alone.",
  properties: {
    conditions: conditions(
      "Accepted: it holds. ResolvedRefs: what it names exists. Programmed: every sidecar that it affects runs this generation.",
    ),
    ancestors: {
      type: "array",
      maxItems: 16,
      description: "The same for each target (GEP-713); at most 16 of them.",
      items: {
        type: "object",
        required: ["ancestorRef", "controllerName"],
        properties: {
          ancestorRef: ANCESTOR_REF,
          controllerName: text("Who says so: seawall.dev/mesh.", 253),
          conditions: conditions("What became of the policy for this target."),
        },
      },
    },
    sidecars: {
      type: "object",
      description: "How many running sidecars the policy affects, and how many of them run this generation.",
      required: ["affected", "programmed"],
      properties: {
        affected: { type: "integer", format: "int32", minimum: 0, description: "Sidecars that the policy affects, connected or not." },
        programmed: { type: "integer", format: "int32", minimum: 0, description: "Those of them that acknowledged this generation." },
      },
    },
  },
};
