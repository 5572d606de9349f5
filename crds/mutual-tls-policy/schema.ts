import Type, { type Static } from "typebox";
import { TargetRef, TargetSelector } from "../core/match.ts";
import { PostQuantum, TlsVersion } from "../core/mesh-words.ts";
import type { KubernetesObject } from "../core/object.ts";

const closed = { additionalProperties: false } as const;

export const MutualTLSMode = Type.Union([Type.Literal("Strict"), Type.Literal("Permissive"), Type.Literal("Off")], {
  description:
    "Strict: callers without a mesh certificate are refused. Permissive: they are let in as nobody. Off: callers do not use mTLS.",
});

export const MutualTLSPolicySpec = Type.Object(
  {
    targetRefs: Type.Optional(Type.Array(TargetRef, { minItems: 1, maxItems: 16 })),
    targetSelectors: Type.Optional(Type.Array(TargetSelector, { minItems: 1, maxItems: 16 })),
    mode: MutualTLSMode,
    minVersion: Type.Optional(
      Type.Union(TlsVersion.anyOf, {
        description: "Raises the mesh's TLS floor here. A change replaces filter chains, and so drains connections.",
      }),
    ),
    postQuantum: Type.Optional(
      Type.Union(PostQuantum.anyOf, {
        description: "Overrides the mesh's mode here, unless the mesh requires it. A change drains connections.",
      }),
    ),
    ports: Type.Optional(
      Type.Array(
        Type.Object(
          { port: Type.Integer({ minimum: 1, maximum: 65535, description: "The container's port." }), mode: MutualTLSMode },
          closed,
        ),
        {
          minItems: 1,
          maxItems: 64,
          description: "Ports with a mode of their own.",
        },
      ),
    ),
  },
  closed,
);

export type MutualTLSMode = Static<typeof MutualTLSMode>;
export type MutualTLSPolicySpec = Static<typeof MutualTLSPolicySpec>;
export type MutualTLSPolicy = KubernetesObject<MutualTLSPolicySpec>;
