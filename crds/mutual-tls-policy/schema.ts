import Type, { type Static } from "typebox";
import { TARGET_FIELDS } from "../core/match.ts";
import type { KubernetesObject } from "../core/object.ts";
import { PostQuantum, TlsVersion } from "../mesh-config/index.ts";

const closed = { additionalProperties: false } as const;

/** The literal is `Disable`, since `Off` is a boolean to YAML 1.1. */
export const Mode = Type.Union([Type.Literal("Strict"), Type.Literal("Permissive"), Type.Literal("Disable")], {
  description:
    "Strict refuses callers without a mesh identity; Permissive takes both; Disable takes both, and makes callers of the mesh come in plaintext.",
});
export type Mode = Static<typeof Mode>;

export const MutualTLSPolicySpec = Type.Object(
  {
    ...TARGET_FIELDS,
    mode: Type.Optional(Mode),
    minVersion: Type.Optional(TlsVersion),
    postQuantum: Type.Optional(PostQuantum),
    ports: Type.Optional(
      Type.Array(
        Type.Object(
          {
            port: Type.Union([Type.Integer({ minimum: 1, maximum: 65535 }), Type.String({ minLength: 1, maxLength: 15 })], {
              description: "The container's port, by number or name.",
            }),
            mode: Mode,
          },
          closed,
        ),
        { minItems: 1, maxItems: 64, description: "Ports with a mode of their own." },
      ),
    ),
  },
  closed,
);
export type MutualTLSPolicySpec = Static<typeof MutualTLSPolicySpec>;
export type MutualTLSPolicy = KubernetesObject<MutualTLSPolicySpec>;
