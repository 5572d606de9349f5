import Type, { type Static } from "typebox";
import type { KubernetesObject } from "../core/object.ts";
import { DefaultAccess, PostQuantum, TlsVersion } from "../core/mesh-words.ts";

const closed = { additionalProperties: false } as const;

export const MeshConfigSpec = Type.Object(
  {
    trustDomain: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        default: "cluster.local",
        description:
          "The trust domain of every identity: spiffe://<trustDomain>/ns/<namespace>/sa/<service account>. It cannot be changed later.",
      }),
    ),
    access: Type.Optional(
      Type.Object(
        {
          default: Type.Optional(
            Type.Union(DefaultAccess.anyOf, {
              default: "Deny",
              description: "What happens to a request that no policy speaks of: Deny refuses, Audit permits and records, Allow permits.",
            }),
          ),
          namespaces: Type.Optional(
            Type.Array(Type.Object({ name: Type.String({ minLength: 1, maxLength: 63 }), default: DefaultAccess }, closed), {
              minItems: 1,
              maxItems: 1000,
              description: "Namespaces with a default of their own, for adoption step by step.",
            }),
          ),
        },
        closed,
      ),
    ),
    tls: Type.Optional(
      Type.Object(
        {
          minVersion: Type.Optional(
            Type.Union(TlsVersion.anyOf, { default: "1.2", description: "The lowest TLS version between sidecars." }),
          ),
          postQuantum: Type.Optional(
            Type.Union(PostQuantum.anyOf, {
              default: "Prefer",
              description: "Hybrid key exchange (X25519MLKEM768): Prefer it, Require it (and with it TLS 1.3), or Disable it.",
            }),
          ),
        },
        { ...closed, description: "A floor: policies may ask for more, never for less." },
      ),
    ),
  },
  closed,
);

export type MeshConfigSpec = Static<typeof MeshConfigSpec>;
export type MeshConfig = KubernetesObject<MeshConfigSpec>;
